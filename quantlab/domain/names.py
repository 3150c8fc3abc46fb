"""The names of a session's and a run's files, and of the contracts of their results; loads nothing."""

from __future__ import annotations

STATUS, METADATA, METADATA_COPY = "session_status.json", "session_metadata.json", "metadata.json"
CONFIG, METRICS, REPORT = "config.json", "metrics.json", "report.json"
TRADES, RUN_REPORT = "trades.csv", "run_report.md"
PRICES, EQUITY = "artifacts/prices.csv", "artifacts/equity.csv"
EQUITY_CHART, PRICE_CHART = "artifacts/equity.png", "artifacts/price.png"
KEPT_STRATEGY = "artifacts/strategy"
"""The folder that keeps a copy of a user's strategy."""
SYNTHETIC = "synthetic"
"""The source of prices that were made up."""
SCHEMA_VERSION = "1.0"
WHOLE_FILE = "sha256"
"""The field of an amendment that speaks of a file as a whole, and of no field in it."""
PAPER_RESULT, RUN_RESULT = "quantlab.paper.result", "quantlab.run.result"

SESSION_MARKERS = (METADATA, STATUS, REPORT)
"""A folder that holds any of these is a session's (contract 11)."""
