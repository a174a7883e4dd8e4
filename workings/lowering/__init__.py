"""Lowering: translates a program into operations on single entries, from which loops are generated."""
