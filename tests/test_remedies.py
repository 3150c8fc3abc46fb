"""What to do about an error is data below `quantlab.cli`, which alone spells commands and flags."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quantlab.base import remedies
from quantlab.base.errors import ConfigError, DataError, SourceTroubleError
from quantlab.base.remedies import INDEX, VERIFY, Action, Setting
from quantlab.cli.commands import COMMANDS
from quantlab.cli.main import cli
from quantlab.cli.remedies import COMMANDS as COMMANDS_OF
from quantlab.ledger.location import locate, no_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

PACKAGE = Path(remedies.__file__).parent.parent
SPELLING = re.compile(rf"(?<![\w-])--[a-z]|quantlab (?:{'|'.join(COMMANDS)})\b")
ALLOWED = {
    ("domain/events/births.py", "it was begun with (`--like`)"): "describes a column, in docs/sql.md",
    ("domain/session.py", "what `--prices` said"): "describes a column, in docs/sql.md",
    ("exports/report_judged.py", "'quantlab paper-sessions promotion' says how"): "recorded in reports",
    ("exports/report_judged.py", "'quantlab paper-sessions why' tells it"): "recorded in reports",
    (
        "ledger/signing.py",
        "quantlab ledger head 1",
    ): "begins what is signed: signatures that were made must hold",
    ("runner/environment.py", "--no-optional-locks"): "a flag of git",
    ("runner/environment.py", "--no-replace-objects"): "a flag of git",
    ("runner/environment.py", "--porcelain=v2"): "a flag of git",
    ("runner/environment.py", "--branch"): "a flag of git",
    (
        "trading/outcome.py",
        "(--lot-size, --min-notional, --min-fee, --tick-size)",
    ): "recorded in reports, as it is",
    ("trading/prices/bars.py", "--adjust none keeps the raw ones"): "recorded in reports, as it is",
    ("trading/prices/bars.py", "was left aside (--adjust none)"): "recorded in reports, as it is",
    ("trading/quality.py", "times farther apart than --interval"): "recorded in reports, as it is",
    ("trading/strategies/example.py", "quantlab run ... --param fast=20"): "a comment in a file for its user",
}
"""File and text -> why it may stand there."""


@cache
def trees() -> dict[str, ast.Module]:
    """Return the package's modules below `cli`, by their paths."""
    files = [file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] != "cli"]
    return {file.relative_to(PACKAGE).as_posix(): ast.parse(file.read_bytes()) for file in files}


@cache
def spelled() -> list[tuple[str, str]]:
    """Return file and text of each string that spells a flag or a command; docstrings are for readers of the code."""
    found = []
    for name, tree in trees().items():
        docstrings = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        texts = (
            one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and id(one) not in docstrings
        )
        found += [(name, text) for text in texts if isinstance(text, str) and SPELLING.search(text)]
    return found


def calls(*names: str) -> Iterator[ast.Call]:
    """Yield the calls below `cli` of a function or method of some name."""
    for tree in trees().values():
        for one in ast.walk(tree):
            if isinstance(one, ast.Call):
                name = one.func.attr if isinstance(one.func, ast.Attribute) else getattr(one.func, "id", None)
                if name in names:
                    yield one


def named(call: ast.Call) -> str:
    """Return the name of the setting that a call of `Setting` makes."""
    (name, *_) = call.args
    assert isinstance(name, ast.Constant)
    return str(name.value)


def below(group: click.Command) -> dict[str, click.Command]:
    """Return a group's commands by name; none for a command."""
    if not isinstance(group, click.Group):
        return {}
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: one for name, one in found.items() if one is not None}


def command(words: tuple[str, ...]) -> click.Command:
    found: click.Command = cli
    for word in words:
        found = below(found)[word]
    return found


def options(one: click.Command) -> set[str]:
    return {spelling for parameter in one.params for spelling in parameter.opts}


def test_no_text_below_cli_spells_a_command_or_a_flag() -> None:
    found = [one for one in spelled() if not any(one[0] == file and part in one[1] for file, part in ALLOWED)]
    assert found == []


def test_each_text_that_is_allowed_stands_there() -> None:
    missed = [
        one for one in ALLOWED if not any(one[0] == file and one[1] in text for file, text in spelled())
    ]
    assert missed == []


def test_every_action_is_a_command() -> None:
    actions = {one for one in vars(remedies).values() if isinstance(one, Action)}
    assert actions == set(COMMANDS_OF)
    assert len({action.name for action in actions}) == len(actions)
    for words in COMMANDS_OF.values():
        assert not isinstance(command(words), click.Group)


def test_every_setting_is_an_option() -> None:
    every = [one for group in below(cli).values() for one in [group, *below(group).values()]]
    known = {option for one in every for option in options(one)}
    asked = {str(Setting(named(call))) for call in calls("Setting")}
    assert (len(asked) > 1, asked - known) == (True, set())


def test_what_an_action_is_given_its_command_takes() -> None:
    for call in calls("of", "with_settings"):
        action = getattr(remedies, ast.unparse(call.func).rpartition(".")[0], None)
        given = [one for one in call.args if isinstance(one, ast.Call) and ast.unparse(one.func) == "Setting"]
        if isinstance(action, Action):
            known = options(command(COMMANDS_OF[action]))
            assert {str(Setting(named(one))) for one in given} <= known, ast.unparse(call)


def test_an_error_carries_what_to_do_as_data(tmp_path: Path) -> None:
    error = no_session(locate(tmp_path, None), "x")
    assert error.remedies == (remedies.LIST_SESSIONS.of(tmp_path),)
    assert (
        str(error) == f"No session 'x' in {tmp_path}; 'quantlab paper-sessions list {tmp_path}' names them."
    )


def test_an_error_that_holds_another_carries_its_remedies_too() -> None:
    inner = DataError("Nothing came; add ", Setting("prices", "cache"), ".")
    outer = SourceTroubleError(inner, " Or ", VERIFY, ".", retry_after=3.0)
    assert outer.remedies == (Setting("prices", "cache"), VERIFY)
    assert (str(outer), outer.retry_after) == (
        "Nothing came; add --prices cache. Or 'quantlab ledger verify'.",
        3.0,
    )


def test_a_library_reads_plain_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remedies, "_spelling", [remedies._plain])
    url = Setting("ledger", "URL")
    assert str(ConfigError("Give ", Setting("rsi_buy_max"), ".")) == "Give rsi_buy_max."
    assert str(INDEX.of("ROOT", url)) == "bring ledger and folders together ROOT ledger URL"
    assert str(VERIFY.with_settings(url)) == "verify the ledger ledger URL"
