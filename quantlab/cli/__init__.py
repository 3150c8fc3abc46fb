"""The command line: parse, call once, print. Alone knows click."""

from __future__ import annotations


def entry() -> None:
    """Run the command line that the process was started with, and exit with the contract's code."""
    import sys

    from quantlab.cli.main import run

    if any(":" in argument or "=" in argument for argument in sys.argv):
        from quantlab.store.process_title import hide_passwords

        hide_passwords()
    sys.exit(run(sys.argv[1:]))
