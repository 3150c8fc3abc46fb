"""Prices, strategy, simulation and metrics: pure but for the line that asks Yahoo."""
