"""The operators' questions, asked of the projections; every answer is a plain object, ready for JSON."""
