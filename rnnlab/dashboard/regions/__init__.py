"""The regions of the pages, one module for each."""
