"""The script that `rnnlab dashboard` has Streamlit run: the same page as `app.py` of a checkout."""

from rnnlab.dashboard.app import run

run()
