"""Benchmarks: training time compared with other libraries and with a lower bound for the machine."""
