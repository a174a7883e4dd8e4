"""Engines, which run programs: ``reference`` with NumPy defines the results, ``compiled`` runs machine code."""
