"""Checks of gradients, data, networks and trainings; the doctor runs them and suggests changes."""
