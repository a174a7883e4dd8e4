"""Helpers that know nothing about networks: arrays, sparse matrices, ranges, atomic writes, colours, source code."""
