"""docs/cli.md, made from the commands themselves: the flags' table and `--help` of every command at 80 columns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest import mock

import click
from click.testing import CliRunner

from quantlab.cli.main import cli
from quantlab.cli.spelling import BARE_FLAG_COMMANDS, FLAG_COMMANDS, PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENING = """\
# Command line

Every command has two spellings of one definition. The flag spelling (`python main.py …`, and `quantlab …` alike) is
what programs and the runbook rely on; the command spelling is for people. Underscore and hyphen forms of a flag are
both accepted, and `--flag VALUE` as well as `--flag=VALUE`.

This page is made by `python tests/make_cli_page.py`, and a test holds it equal to what `--help` prints.

## Two spellings

| flag spelling | command spelling |
| --- | --- |
"""

CLOSING = """
`--paper-stale-minutes` and `--stale-minutes` of `alerts` are one option under two names. `ledger` has the command
spelling alone.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | unexpected failure, or interrupted by a signal; also: `ledger verify` found a fault, `prove` a difference |
| 2 | bad flags, a bad JSON request or a bad path |
| 3 | market data missing, empty or unusable |
| 4 | the strategy failed |

With `--exit-code`, `paper-sessions alerts` exits as monitoring plugins do: 0 ok, 1 warning, 2 critical, and 3 whenever
it could not tell, usage errors included.

A known error is one line on stderr, `ERROR: …`: what was wrong, what was expected, what to do. `QUANTLAB_TRACEBACK=1`
prints Python's traceback before it, for reports of defects.

## Environment

| variable | what it does |
| --- | --- |
| `QUANTLAB_LEDGER` | URL of the ledger, as `--ledger`; the flag and a JSON request's `ledger` go before it |
| `QUANTLAB_…` | every option, by the words of its command and its own name: `QUANTLAB_RUN_FEE` |
| `QUANTLAB_CONFIG` | the file of options, where it is not `quantlab.toml` in the working folder |
| `QUANTLAB_STRATEGIES` | folders in which a strategy is found by its name |
| `QUANTLAB_WEBHOOK_TOKEN` | sent with `alerts --webhook` as `Authorization: Bearer …` |
| `QUANTLAB_TRACEBACK` | anything: print a traceback before the error line |
| `NO_COLOR` | anything: no colours on a terminal |

## Options that stand in a file

What you type at every call can stand in `quantlab.toml` in the working folder: a table a command, in it its options,
with hyphens or underscores; `ledger`, `outdir` and `page` may stand in `[all]`, for every command that has them, and
`page` on top by itself: `page = true` writes the operators' page beside the index ([page.md](page.md)).

```toml
[all]
ledger = "postgresql+psycopg://quantlab@10.0.0.5/quantlab"

[run]
fee = 0.001
no-charts = true

[paper-sessions.alerts]
stale-minutes = 120
```

A flag goes before the environment, the environment before the file, the file before the default; the same value has
the same `config_hash` from wherever it came. What `--like`, `--signals` or `--strategy` tell by hand goes before both.
An empty variable counts for nothing. `quantlab check` tells which values are in force and where each came from, and
holds every table to what there is; any other command looks at its own. What no option is called, or has another type,
is exit 2.

A folder that you were sent must not run code, so the file does not say `strategy`, `signals`, `like`, `report`,
`run-kept-code`, `exec`, `webhook`, `signal-file`, `told` or `output`, and no `QUANTLAB_STRATEGIES`. A JSON request
takes nothing from file or environment but `QUANTLAB_LEDGER` and `QUANTLAB_STRATEGIES`.

## Completing words

`quantlab completion SHELL` prints what the shell has to read; it completes commands, options, choices and paths.

| shell | once |
| --- | --- |
| bash | `quantlab completion bash > ~/.local/share/bash-completion/completions/quantlab` |
| zsh | `quantlab completion zsh > ~/.zfunc/_quantlab`, with `fpath+=~/.zfunc` before `compinit` in `~/.zshrc` |
| fish | `quantlab completion fish > ~/.config/fish/completions/quantlab.fish` |

## Help of every command
"""


def made() -> str:
    """Return the whole page."""
    helps = "".join(f"\n### {name}\n\n```text\n{text}```\n" for name, text in every_help())
    return OPENING + _table() + CLOSING + helps


def every_help() -> Iterator[tuple[str, str]]:
    """Yield each command's name and its help, groups before what is in them."""
    with mock.patch.dict(os.environ, {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}):
        yield from _helps(cli, ())


def _helps(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    yield " ".join(("quantlab", *words)), _help(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{name} is listed and is no command"
            yield from _helps(inner, (*words, name))


def _help(words: tuple[str, ...]) -> str:
    done = CliRunner().invoke(
        cli, [*words, "--help"], prog_name="quantlab", terminal_width=80, catch_exceptions=False
    )
    return done.output


_MORE = {
    "--json-request": " [--signal-file F]",
    "--paper-sessions-abort": " --reason TEXT",
    "--paper-sessions-resolve": " --reason TEXT",
    "--paper-sessions-finish": " --reason TEXT",
}
"""What stands behind a flag's value."""
_RUN_FLAGS = "--ticker T --start D --end D [--paper] [--report] …"


def _table() -> str:
    rows = [(_RUN_FLAGS, f"run {_RUN_FLAGS}")]
    for flag, words in FLAG_COMMANDS.items():
        argument = PLACEHOLDERS.get(flag, "ROOT") + _MORE.get(flag, "")
        rows.append((f"{flag} {argument}", " ".join((*words, argument))))
    rows += [(flag, " ".join(words)) for flag, words in BARE_FLAG_COMMANDS.items()]
    rows.append(("--version", "--version"))
    return "".join(f"| `{flag}` | `quantlab {command}` |\n" for flag, command in rows)
