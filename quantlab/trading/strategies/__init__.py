"""Strategies: what a user writes, how it is found, checked and asked."""
