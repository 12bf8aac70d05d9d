"""What `rnnlab dashboard` starts. No `pages` folder lies beside it: Streamlit would take that for its own."""
