"""Training: batches, gradients, the optimizer, the loop. It depends on no process, store or screen."""
