"""The compiled engine: writes the loops of a program as Python source, and compiles it to machine code."""
