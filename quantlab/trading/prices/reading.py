"""How the user says that a price file is to be read: `--columns`, `--time-format`, `--separator`, `--adjust`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from quantlab.base.errors import ConfigError
from quantlab.trading.prices.roles import ROLES, parse_columns

if TYPE_CHECKING:
    from quantlab.domain.config import RunConfig

_SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "\\t": "\t",
    "bar": "|",
    "pipe": "|",
    "space": " ",
    "blank": " ",
}
UNITS = ("s", "ms", "us", "ns")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the user said; None where the file tells.

    Attributes:
        columns: Role to column, such as `time=Datum,open=2`.
        time_format: As for `strptime`, or a unit of counts since 1970.
        separator: The one character between the cells of a row.
        adjust: `auto` adjusts prices by an adjusted close beside them; `none` leaves them raw.
        whole_lines: A last line that has not ended does not count: the file grows, and somebody is writing it.
    """

    columns: str | None = None
    time_format: str | None = None
    separator: str | None = None
    adjust: Literal["auto", "none"] = "auto"
    whole_lines: bool = False


DEFAULT_READING = Reading()
"""What holds where the user said nothing."""


def reading_of(config: RunConfig) -> Reading:
    """Read the flags off a configuration.

    Raises:
        ConfigError: one of them says nothing that can be followed.
    """
    if config.columns is not None:
        try:
            parse_columns(config.columns)
        except ValueError as error:
            raise ConfigError(
                f"columns: {error}; expected ROLE=COLUMN, parted by commas, such as time=Datum,open=2; "
                f"roles are {', '.join(ROLES)}."
            ) from error
    return Reading(
        columns=config.columns,
        time_format=_time_format(config.time_format),
        separator=_separator(config.separator),
        adjust=config.adjust,
    )


def _time_format(text: str | None) -> str | None:
    if text is None or text in UNITS:
        return text
    try:
        written = datetime(2023, 1, 31, 9, 30, tzinfo=UTC).strftime(text)
        if "%" not in text or not written.strip():
            raise ValueError("no % in it")  # noqa: TRY301 - told with the rest
        datetime.strptime(written, text)  # noqa: DTZ007 - asked whether the format is one
    except ValueError as error:
        raise ConfigError(
            f"time_format: {text!r} is none ({error}); expected one as for strptime, such as %d.%m.%Y or "
            f"'%m/%d/%Y %H:%M', or {', '.join(UNITS)} for counts since 1970."
        ) from error
    return text


def _separator(text: str | None) -> str | None:
    if text is None:
        return None
    found = _SEPARATORS.get(text.strip().lower() or text, text)
    if len(found) != 1 or found.isalnum() or found in '."-\n\r':
        raise ConfigError(
            f"separator: {text!r} is none; expected one character, such as ';', or comma, semicolon, tab, space."
        )
    return found
