"""Streamlit as the process of `rnnlab dashboard`: it serves on if nobody reads what it prints."""

from __future__ import annotations

import runpy

from rnnlab.system import standard_streams


def main() -> None:
    """Do what `python -m streamlit` does, with the arguments of this process."""
    standard_streams.never_fail()
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
