"""Kernels that the compiled loops call: elementary functions, matrix products, and threads that share the work."""
