"""Gate: run a committed suite of scenarios again and compare with its committed baseline."""
