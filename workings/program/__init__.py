"""The program: the ordered, named statements of one training step, and the trace of their values."""
