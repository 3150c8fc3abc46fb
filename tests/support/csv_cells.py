"""What a reader of our CSV files does."""

from __future__ import annotations


def csv_cell_value(cell: str) -> str:
    """Return the text that `quantlab.base.text.csv_cell` was given."""
    return cell.removeprefix("'")
