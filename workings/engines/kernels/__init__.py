"""Kernels: what compiled loops call: elementary functions, matrix products, and the threads that share them."""
