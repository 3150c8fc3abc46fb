"""Disk against ledger."""
