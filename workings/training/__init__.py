"""Training: the loop over epochs and batches, what is measured and recorded, and callbacks."""
