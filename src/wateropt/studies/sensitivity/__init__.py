"""Sweeps: a design says what is varied and how; every run is the same LP with a few other numbers."""
