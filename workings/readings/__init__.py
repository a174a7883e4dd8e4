"""Representations of a program: equations, a worked step, a script, and code for other libraries."""
