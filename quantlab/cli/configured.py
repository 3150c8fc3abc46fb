"""Options out of `quantlab.toml` and `QUANTLAB_*`: flag > environment > file > default, by click's own means.

A command's variables are `QUANTLAB_` and its words and the option's name, such as `QUANTLAB_RUN_FEE`. The file has a
table a command, `[run]` or `[paper-sessions.alerts]`; `ledger`, `outdir` and `page` may stand in `[all]`, for every
command that has them, and `page` on top by itself. A folder must not run code: what would let it do so is refused in
the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import click

from quantlab.base.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE = "quantlab.toml"
NAMED = "QUANTLAB_CONFIG"
ALL = "all"
SHARED = ("ledger", "outdir", "page")
ON_TOP = "page"
BY_HAND = (
    "strategy",
    "signals",
    "like",
    "report",
    "run-kept-code",
    "exec",
    "webhook",
    "signal-file",
    "told",
    "output",
)
"""Options that the file does not set: each brings code, starts it, sends something, or writes what a shell may read."""
ALONE = ("request", "completion")
"""Commands that take nothing from file or environment but what they name themselves."""
_HIDDEN = ("webhook",)
_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class ConfiguredValue(NamedTuple):
    """A value that file or environment gives an option: of which command, what, and where it stands."""

    option: str
    value: str
    source: str


class ConfigFile(NamedTuple):
    """What `quantlab.toml` says, as it stands there."""

    path: Path
    tables: dict[str, object]


def read_file() -> ConfigFile | None:
    """Return what the file says; None where there is none.

    Raises:
        ConfigError: it can't be read, or is no TOML.
    """
    named = os.environ.get(NAMED)
    path = named or FILE
    if not named and not os.path.exists(FILE):  # noqa: PTH110 - questions have to start fast
        return None
    import tomllib
    from pathlib import Path

    try:
        return ConfigFile(Path(path), tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        said = f" ({NAMED} names it)" if named else ""
        raise ConfigError(
            f"{path}{said} can't be read: {why}; expected TOML, such as [run] and fee = 0.001."
        ) from error


def in_force() -> bool:
    """Tell whether a run typed here would take anything from file or environment."""
    named = bool(os.environ.get(NAMED)) or os.path.exists(FILE)  # noqa: PTH110 - as above
    return named or any(name.startswith("QUANTLAB_RUN_") for name in os.environ)


def defaults_of(cli: click.Group, words: Sequence[str]) -> dict[str, object]:
    """Let a command read its variables; returns click's `default_map` out of the file.

    Raises:
        ConfigError: the file says something that no option is called, or of another type, or that it must not say.
    """
    if not words or words[0] in ALONE or any(word in ("--help", "-h", "--version") for word in words):
        return {}
    path, command = _command(cli, words)
    if command is None:
        return {}
    for option in _options(command):
        if option.envvar is None:
            option.envvar = _variables(path, option)
    file = read_file()
    if file is None:
        return {}
    values: dict[str, object] = _values(file, cli, path, command)
    for word in reversed(path):
        values = {word: values}
    return values


def settings(cli: click.Group) -> list[ConfiguredValue]:
    """Return all that file and environment give, for every command.

    Raises:
        ConfigError: the file is wrong anywhere.
    """
    file = read_file()
    found = []
    for path, command in _all_commands(cli):
        values = {} if file is None else _values(file, cli, path, command)
        for option in _options(command):
            said = _said(option, path, values, file)
            if said is not None:
                value, source = said
                name = _names(option)[0]
                found.append(ConfiguredValue(f"{' '.join(path)} --{name}", _shown(name, value), source))
    if file is not None:
        _require_known_tables(file, cli)
    return found


def where(error: click.ClickException) -> str:
    """Return where a refused value stands, with a colon behind it; nothing where it was given by hand."""
    context, param = getattr(error, "ctx", None), getattr(error, "param", None)
    if context is None or not isinstance(param, click.Option) or not param.name:
        return ""
    source = context.get_parameter_source(param.name)
    if source is click.core.ParameterSource.ENVIRONMENT:
        names = [param.envvar] if isinstance(param.envvar, str) else list(param.envvar or ())
        return f"{next((one for one in names if os.environ.get(one)), names[0])}: "
    if source is click.core.ParameterSource.DEFAULT_MAP:
        path = context.command_path.split()[1:]
        return f"{os.environ.get(NAMED) or FILE}: [{'.'.join(path)}] {_names(param)[0]}: "
    return ""


def given_anywhere(name: str) -> bool:
    """Tell whether an option was given at all: by hand, by the environment or by the file."""
    sources = click.core.ParameterSource
    given = (sources.COMMANDLINE, sources.ENVIRONMENT, sources.DEFAULT_MAP)
    return click.get_current_context().get_parameter_source(name) in given


def named_by(*names: str) -> str:
    """Return what gave an option its value where no hand did: the file's name, else `QUANTLAB_LEDGER`'s."""
    context = click.get_current_context()
    from_file = click.core.ParameterSource.DEFAULT_MAP
    if any(context.get_parameter_source(name) is from_file for name in names):
        return os.environ.get(NAMED) or FILE
    return "QUANTLAB_LEDGER"


def _command(cli: click.Group, words: Sequence[str]) -> tuple[tuple[str, ...], click.Command | None]:
    path: tuple[str, ...] = ()
    command: click.Command | None = cli
    for word in words:
        if not isinstance(command, click.Group):
            break
        if word not in command.list_commands(click.Context(command)):
            return path, None  # click says so
        command = command.get_command(click.Context(command), word)
        path = (*path, word)
    return path, None if isinstance(command, click.Group) else command


def _all_commands(
    group: click.Group, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if path == () and name in ALONE:
            continue
        if isinstance(command, click.Group):
            yield from _all_commands(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


def _options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option)]


def _names(option: click.Option) -> list[str]:
    return [one.removeprefix("--") for one in option.opts if one.startswith("--")]


def _variables(path: Sequence[str], option: click.Option) -> list[str]:
    return ["_".join(("QUANTLAB", *path, name)).replace("-", "_").upper() for name in _names(option)]


def _said(
    option: click.Option, path: tuple[str, ...], values: dict[str, object], file: ConfigFile | None
) -> tuple[object, str] | None:
    own = [option.envvar] if isinstance(option.envvar, str) else option.envvar or _variables(path, option)
    for variable in own:
        if os.environ.get(variable):
            return os.environ[variable], f"environment: {variable}"
    if file is None or option.name not in values:
        return None
    return values[option.name], f"{file.path}: {_key(file, path, option)}"


def _key(file: ConfigFile, path: tuple[str, ...], option: click.Option) -> str:
    table = _table(file, path)
    name = next((key for key in table if key.replace("_", "-") in _names(option)), None)
    return f"[{'.'.join(path)}] {name}" if name else _shared(file)[_names(option)[0]][0]


def _shown(name: str, value: object) -> str:
    from quantlab.base.secrets import HIDDEN, redacted

    if name in _HIDDEN:
        return HIDDEN
    return redacted(str(value)) if name == "ledger" else str(value)


def _values(
    file: ConfigFile, cli: click.Group, path: tuple[str, ...], command: click.Command
) -> dict[str, object]:
    _require_known_top(file, cli)
    options = {name: option for option in _options(command) for name in _names(option)}
    values = {}
    for name, (place, value) in _shared(file).items():
        if name in options:
            values[str(options[name].name)] = _value(f"{file.path}: {place}", options[name], value)
    seen: set[str | None] = set()
    for key, value in _table(file, path).items():
        place = f"{file.path}: [{'.'.join(path)}] {key}"
        name = key.replace("_", "-")
        if name in BY_HAND:
            raise ConfigError(
                f"{place}: a folder's file must not say this; expected it by hand or in the environment."
            )
        if name not in options:
            raise ConfigError(f"{place}: there is no such option; {_near(name, [*options])}")
        option = options[name]
        if option.name in seen:
            raise ConfigError(f"{place}: it stands there twice, under two names; expected one.")
        seen.add(option.name)
        values[str(option.name)] = _value(place, option, value)
    return values


def _table(file: ConfigFile, path: Sequence[str]) -> dict[str, object]:
    table = file.tables
    for depth, word in enumerate(path):
        found = next((one for key, one in table.items() if key.replace("_", "-") == word), {})
        if not isinstance(found, dict):
            raise ConfigError(
                f"{file.path}: {'.'.join(path[: depth + 1])}: expected a table, [{'.'.join(path)}]."
            )
        table = found
    return dict(table)


def _shared(file: ConfigFile) -> dict[str, tuple[str, object]]:
    """Return what every command is told that has such an option: by its name, where it stands, and the value."""
    table = _table(file, (ALL,))
    for key in table:
        if key not in SHARED:
            raise ConfigError(f"{file.path}: [{ALL}] {key}: there is no such key; {_near(key, [*SHARED])}")
    found = {key: (f"[{ALL}] {key}", value) for key, value in table.items()}
    if ON_TOP in file.tables:
        if ON_TOP in found:
            raise ConfigError(
                f"{file.path}: {ON_TOP}: it stands there twice, on top and in [{ALL}]; expected one."
            )
        found[ON_TOP] = (ON_TOP, file.tables[ON_TOP])
    return found


def _require_known_top(file: ConfigFile, cli: click.Group) -> None:
    commands = [one for one in cli.list_commands(click.Context(cli)) if one not in ALONE]
    for key, value in file.tables.items():
        name = key.replace("_", "-")
        if name in ALONE:
            raise ConfigError(f"{file.path}: [{key}]: {name} takes nothing from a file; leave it out.")
        if name == ON_TOP:
            continue
        if name not in (ALL, *commands):
            raise ConfigError(
                f"{file.path}: {key}: there is no such key; {_near(name, [ALL, ON_TOP, *commands])}"
            )
        if not isinstance(value, dict):
            raise ConfigError(f"{file.path}: {key}: expected a table, [{key}] and below it an option a line.")


def _require_known_tables(file: ConfigFile, cli: click.Group) -> None:
    """Refuse a table that belongs to no command: a command's own call looks at its table alone."""
    _require_known_top(file, cli)
    for key in file.tables:
        if key in (ALL, ON_TOP):
            continue
        command = cli.get_command(click.Context(cli), key.replace("_", "-"))
        if not isinstance(command, click.Group):
            continue
        known = command.list_commands(click.Context(command))
        for inner in _table(file, (key.replace("_", "-"),)):
            if inner.replace("_", "-") not in known:
                raise ConfigError(
                    f"{file.path}: [{key}] {inner}: there is no such command; {_near(inner, known)}"
                )


def _near(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(known)}."


def _value(place: str, option: click.Option, value: object) -> object:
    """Return the file's value as it would be typed, so that it is read as a flag's is."""
    if option.multiple:
        if not isinstance(value, list):
            raise ConfigError(f'{place}: expected a list of texts, such as ["a", "b"].')
        return [_typed(place, str, one) for one in value]
    if option.is_flag:
        return _typed(place, bool, value)
    kinds: dict[str, type] = {"integer": int, "float": float}
    return str(_typed(place, kinds.get(option.type.name, str), value))


def _typed(place: str, kind: type, value: object) -> object:
    fits = type(value) is kind or (kind is float and type(value) is int)
    if not fits:
        got = _KINDS.get(type(value), f"a {type(value).__name__}")
        raise ConfigError(f"{place}: expected {_KINDS[kind]}, got {got}.")
    return value
