"""Sweeps: many runs whose hyperparameters a strategy chooses, to find those that reach a target best."""
