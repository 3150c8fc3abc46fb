"""The append-only record, its projection, and how both are kept."""
