"""Readings: the same program, told as a script."""
