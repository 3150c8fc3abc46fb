"""The commands, in the order in which help lists them: where each is, and what it does. Imports none of them."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("quantlab.cli.run:run", "Run a strategy: a paper session with --paper, else a research run."),
    "request": ("quantlab.cli.request:request", "Run what a JSON request asks for."),
    "paper-sessions": (
        "quantlab.cli.paper_sessions:paper_sessions",
        "List, inspect, watch, export and close paper sessions.",
    ),
    "runs": ("quantlab.cli.runs:runs", "List and compare research runs."),
    "strategies": ("quantlab.cli.strategies:strategies", "Write, find and check strategies of your own."),
    "ledger": ("quantlab.cli.ledger:ledger", "Verify, back up, move and rebuild a ledger."),
    "completion": ("quantlab.cli.completion:completion", "Print what a shell reads to complete commands."),
    "check": ("quantlab.cli.check:check", "Tell whether this installation is fit to run."),
}
