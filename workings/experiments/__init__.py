"""Experiments: the networks of four beginners' tutorials, one module each.

Each module builds the network of a tutorial, trains it on real data, and compares the results with
the published ones and with those of the tutorial's own code.  It writes a report with plots.
"""
