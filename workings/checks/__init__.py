"""Checks: ways to doubt a network."""
