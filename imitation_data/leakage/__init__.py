"""Leakage: benchmark items that stand in training rows, and what a check for them can see."""
