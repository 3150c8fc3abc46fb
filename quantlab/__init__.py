"""QuantLab: paper sessions of trading strategies on an append-only event ledger."""

__version__ = "0.1.0"
