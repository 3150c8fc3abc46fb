"""What tests stand on, imported as `from support.sessions_builder import …`; tests/README.md says what each gives."""

SUBJECTS = {
    "The program": (
        "flow_program",
        "asked_program",
        "ledger_commands",
        "fork_server",
        "fault_tasks",
        "later_program",
        "without_posix",
        "tame",
    ),
    "Sessions, ledgers and roots": (
        "sessions_builder",
        "ledger_history",
        "both_engines",
        "root_files",
        "legacy_root",
        "page_roots",
        "forward_market",
        "golden_questions",
        "audit",
    ),
    "Prices, strategies and outcomes": (
        "prices_cases",
        "price_histories",
        "price_shapes",
        "engine_markets",
        "strategy_cases",
        "outcome_builder",
    ),
    "Servers and the machine": (
        "postgres_server",
        "drilled_server",
        "pooler",
        "loopback_proxy",
        "yahoo_server",
        "exchange_server",
        "browser",
        "permissions",
        "lanes",
    ),
    "Pages and files that are made": (
        "shown_pages",
        "made_tables",
        "cli_page",
        "pictures",
        "index_files",
        "csv_cells",
    ),
}
"""Every module of this package, by what it is about: the tables of tests/README.md, in this order."""
