"""Measurements, as in `make bench NAME=build`: they report times; tests never assert on them."""
