"""Streamlit pages and regions: they read values and draw. What is worth testing lies below them."""
