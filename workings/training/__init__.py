"""Training: the loop over epochs and batches, evaluation, history and callbacks."""
