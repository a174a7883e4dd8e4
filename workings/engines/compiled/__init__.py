"""The compiled engine: generates Python source with the loops of a program, and compiles it with Numba."""
