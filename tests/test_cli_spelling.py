"""Two spellings of one definition."""

from __future__ import annotations

import pytest

from quantlab.base.errors import ConfigError
from quantlab.cli.spelling import FLAG_COMMANDS, as_command, flags_of_commands, is_monitoring

READ = [
    ([], []),
    (["run", "--paper"], ["run", "--paper"]),
    (["--paper"], ["run", "--paper"]),
    (["--rsi_buy_max", "5_0"], ["run", "--rsi-buy-max", "5_0"]),
    (["--rsi_buy_max=5_0"], ["run", "--rsi-buy-max=5_0"]),
    (["--json-request", "{}"], ["request", "{}"]),
    (["--json_request={}"], ["request", "{}"]),
    (["--json-request", ""], ["request", ""]),
    (["--json-request="], ["request", ""]),
    (["--signal_file", "a_b", "--json-request", "-x"], ["request", "--signal-file", "a_b", "--", "-x"]),
    (["--paper-sessions-list", "a_b"], ["paper-sessions", "list", "a_b"]),
    (["--paper_sessions_list", "a"], ["paper-sessions", "list", "a"]),
    (["--paper-sessions-list", "--odd"], ["paper-sessions", "list", "--", "--odd"]),
    (
        ["--paper-sessions-alerts", "r", "--paper-stale-minutes", "5"],
        ["paper-sessions", "alerts", "r", "--paper-stale-minutes", "5"],
    ),
    (["--runs-best", "r", "--metric", "trades"], ["runs", "best", "r", "--metric", "trades"]),
    (["--check"], ["check"]),
    (["--check", "--outdir", "x"], ["check", "--outdir", "x"]),
    (["--paper-sessions-list", "r", "--help"], ["paper-sessions", "list", "--help"]),
    (["--version"], ["--version"]),
    (["--check", "--version"], ["--version"]),
    (["--paper-sessions-list", "outputs/paper_sessions", "--version"], ["--version"]),
    (["-h"], ["-h"]),
    (["rnu"], ["rnu"]),
]


@pytest.mark.parametrize(("words", "command"), READ)
def test_a_command_line_is_read_as(words: list[str], command: list[str]) -> None:
    assert as_command(words) == command


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["--paper-sessions-list", "a", "--runs-list", "b"],
            "--paper-sessions-list and --runs-list are commands",
        ),
        (["--check", "--json-request", "{}"], "--check and --json-request are commands"),
        (["--check=1"], "--check takes no value"),
        (["--json-request"], "--json-request needs a value; expected --json-request JSON"),
        (["--paper-sessions-show"], "expected --paper-sessions-show SESSION_DIR"),
        (["--runs-list"], "expected --runs-list ROOT"),
    ],
)
def test_a_line_that_is_no_one_command_is_refused(words: list[str], why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        as_command(words)
    assert why in str(refused.value)


def test_every_flag_that_is_a_command_can_be_suggested() -> None:
    assert set(FLAG_COMMANDS) < set(flags_of_commands())


@pytest.mark.parametrize("command", sorted(FLAG_COMMANDS.values()))
def test_every_flag_leads_to_a_command(command: tuple[str, ...]) -> None:
    import click

    from quantlab.cli.main import cli

    found: click.Command | None = cli
    for word in command:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        ("paper-sessions alerts r --exit-code", True),
        ("paper-sessions alerts r --exit_code", True),
        ("--paper_sessions_alerts r --exit_code", True),
        ("--exit-code --paper-sessions-alerts=r", True),
        ("--exit-code --paper-sessions-alerts", True),
        ("--paper-sessions-alerts r", False),
        ("paper-sessions list r --exit-code", False),
        ("--paper-sessions-list r --exit-code", False),
        ("run --ticker --exit-code", False),
        ("--exit-code", False),
        ("", False),
    ],
)
def test_only_alerts_with_an_exit_code_is_monitoring(words: str, is_one: bool) -> None:
    assert is_monitoring(words.split()) is is_one
