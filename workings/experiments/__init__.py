"""Experiments: the four networks that most people begin with, each in one file.

Each builds its network in the open, trains it on real input, compares what it measures with what
was published and with what the tutorial's own code gives, and writes a report with pictures.
"""
