"""The flag spelling: the runbook's flags are read as the commands that people would type.

One table maps each flag that is really a command to that command; every option has one definition, on its command,
under all of its names.
"""

from __future__ import annotations

from quantlab.base.errors import ConfigError
from quantlab.cli.commands import COMMANDS

FLAG_COMMANDS: dict[str, tuple[str, ...]] = {
    "--json-request": ("request",),
    "--paper-sessions-list": ("paper-sessions", "list"),
    "--paper-sessions-show": ("paper-sessions", "show"),
    "--paper-sessions-compare": ("paper-sessions", "compare"),
    "--paper-sessions-why": ("paper-sessions", "why"),
    "--paper-sessions-health": ("paper-sessions", "health"),
    "--paper-sessions-alerts": ("paper-sessions", "alerts"),
    "--paper-sessions-index": ("paper-sessions", "index"),
    "--paper-sessions-page": ("paper-sessions", "page"),
    "--paper-sessions-promotion": ("paper-sessions", "promotion"),
    "--paper-sessions-abort": ("paper-sessions", "abort"),
    "--paper-sessions-resolve": ("paper-sessions", "resolve"),
    "--paper-sessions-prove": ("paper-sessions", "prove"),
    "--paper-sessions-follow": ("paper-sessions", "follow"),
    "--paper-sessions-step": ("paper-sessions", "step"),
    "--paper-sessions-finish": ("paper-sessions", "finish"),
    "--strategies-show": ("strategies", "show"),
    "--strategies-check": ("strategies", "check"),
    "--strategies-new": ("strategies", "new"),
    "--runs-list": ("runs", "list"),
    "--runs-show": ("runs", "show"),
    "--runs-compare": ("runs", "compare"),
    "--runs-best": ("runs", "best"),
}
"""Flag -> command; each takes a value, the command's argument; where a command takes several, more may follow."""

PLACEHOLDERS = {
    "--json-request": "JSON",
    "--paper-sessions-show": "SESSION_DIR",
    "--paper-sessions-compare": "SESSION_DIR…",
    "--paper-sessions-why": "SESSION_DIR",
    "--paper-sessions-abort": "SESSION_DIR",
    "--paper-sessions-resolve": "SESSION_DIR…",
    "--paper-sessions-prove": "SESSION_DIR",
    "--paper-sessions-follow": "SESSION_DIR",
    "--paper-sessions-step": "SESSION_DIR",
    "--paper-sessions-finish": "SESSION_DIR",
    "--runs-show": "DIR",
    "--runs-compare": "DIR…",
    "--strategies-show": "STRATEGY",
    "--strategies-check": "STRATEGY",
    "--strategies-new": "FILE",
}
"""What a flag's value is called, where it is no ROOT."""

_ALERTS = "--paper-sessions-alerts"

BARE_FLAG_COMMANDS: dict[str, tuple[str, ...]] = {
    "--check": ("check",),
    "--strategies-list": ("strategies", "list"),
}
"""Flags without a value that are commands."""

HELP = ("--help", "-h")
VERSION = "--version"


def as_command(arguments: list[str]) -> list[str]:
    """Return the command spelling of a command line; one that is in it already comes back as it is.

    Raises:
        ConfigError: two commands in one line, or a command's flag without its value.
    """
    arguments = [_hyphened(argument) for argument in arguments]
    if not arguments or arguments[0] in COMMANDS:
        return arguments
    if VERSION in arguments and arguments[0].startswith("-"):
        return [VERSION]
    found = [place for place, argument in enumerate(arguments) if _flag(argument) in _ALL]
    if not found:
        return arguments if _is_top_level(arguments) else ["run", *arguments]
    if len(found) > 1:
        flags = " and ".join(_flag(arguments[place]) for place in found)
        raise ConfigError(f"{flags} are commands of their own; expected one of them a call.")
    return _translated(arguments, found[0])


def _translated(arguments: list[str], place: int) -> list[str]:
    flag, equals, value = arguments[place].partition("=")
    before, after = arguments[:place], arguments[place + 1 :]
    if flag in BARE_FLAG_COMMANDS:
        if equals:
            raise ConfigError(f"{flag} takes no value; expected {flag} alone.")
        return [*BARE_FLAG_COMMANDS[flag], *before, *after]
    if any(argument in HELP for argument in before + after):
        return [*FLAG_COMMANDS[flag], "--help"]
    if not equals:
        if not after:
            raise ConfigError(f"{flag} needs a value; expected {flag} {PLACEHOLDERS.get(flag, 'ROOT')}.")
        value, after = after[0], after[1:]
    if value.startswith("-"):
        return [*FLAG_COMMANDS[flag], *before, *after, "--", value]
    return [*FLAG_COMMANDS[flag], value, *before, *after]  # first, so that another word is the one too many


def is_monitoring(arguments: list[str]) -> bool:
    """Tell whether a command line, be it well formed or not, is `alerts --exit-code` in either spelling."""
    words = [_hyphened(argument) for argument in arguments]
    if not words or words[0] in COMMANDS:
        asked = words[:2] == [*FLAG_COMMANDS[_ALERTS]]
    else:
        asked = _ALERTS in map(_flag, words)
    return asked and "--exit-code" in words


def flags_of_commands() -> list[str]:
    """Return every flag that is a command of its own, and those that any command line may hold."""
    return [*_ALL, "--help", VERSION]


_ALL = {**FLAG_COMMANDS, **BARE_FLAG_COMMANDS}


def _is_top_level(arguments: list[str]) -> bool:
    return arguments[0] in HELP or not arguments[0].startswith("-")


def _flag(argument: str) -> str:
    return argument.partition("=")[0]


def _hyphened(argument: str) -> str:
    """Spell a long flag with hyphens; values, and what follows `=`, are left as they are."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value
