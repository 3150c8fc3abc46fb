"""Bars of one market from Yahoo, a file, the cache or the synthetic source, and how good they are."""
