"""Background workers, the processes that train runs."""
