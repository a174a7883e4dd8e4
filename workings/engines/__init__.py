"""Engines: ways to run a program. ``reference`` defines what is true."""
