"""Starts the dashboard. Run it with `streamlit run app.py`."""

from rnnlab.dashboard.app import run

run()
