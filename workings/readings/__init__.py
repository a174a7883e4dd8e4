"""Readings: the same program as equations, as a worked step, as a script, and in other libraries' terms."""
