"""The store: runs, their curves and files, requests from people and reports from workers."""
