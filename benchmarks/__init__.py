"""Benchmarks: how fast training is, against other libraries and against the limit of the machine."""
