"""The compiled engine: a program's steps as loops, written as Python source and compiled to machine code by Numba."""
