"""The dashboard: Streamlit pages that read from the store and render what they read."""
