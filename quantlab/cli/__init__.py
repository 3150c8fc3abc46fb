"""The command line: parse, call once, print. Alone knows click."""

from __future__ import annotations

import os
import sys


def entry() -> None:
    """Run the command line that the process was started with, and exit with the contract's code."""
    try:
        _open_closed_streams()
        code = _run()
    except KeyboardInterrupt:  # while modules were imported, or an error was reported
        _ignore_interrupts()
        sys.stderr.write("ERROR: Interrupted.\n")
        code = 1
    _ignore_interrupts()
    sys.exit(code)


def _run() -> int:
    from quantlab.cli.main import run

    if any(":" in argument or "=" in argument for argument in sys.argv):
        from quantlab.cli.process_title import hide_passwords

        hide_passwords()
    return run(sys.argv[1:], at_the_end=_ignore_interrupts)


def _open_closed_streams() -> None:
    """Let a closed standard stream (`>&-`) take what it is given and show it nowhere.

    Its number must not go to the next file that is opened, such as a ledger: something may still write to it.
    """
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: PTH123, SIM115 - open until the process ends, as are the others
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115


def _ignore_interrupts() -> None:
    """Let the process end in peace: a second Ctrl-C would end it by the signal, without its line and its code."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
