"""Turns values into Plotly figures, without Streamlit."""
