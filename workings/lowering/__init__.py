"""Lowering: the program in index notation, from which engines and exported files write loops."""
