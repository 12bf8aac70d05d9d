"""What the machine provides: files, memory, processor cores, processes."""
