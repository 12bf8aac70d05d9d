"""The trained network: its weights, how it reads, how well it reads, and how sure it may be."""
