"""Diversity of texts: how alike each is to the most similar other, and how they begin."""
