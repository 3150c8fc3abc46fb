"""Which column of a price file is what: by its name, by what the user said, or by the order that a known source has."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

from quantlab.base.errors import DataError
from quantlab.base.remedies import Setting
from quantlab.trading.prices.quoting import plain

PRICES = ("open", "high", "low", "close")
ROLES = ("time", *PRICES, "volume", "adj_close", "symbol")
"""What `--columns` may name."""

FIRST_TIMES = ("time", "timestamp", "date", "datetime")
_OPENING_TIMES = ("open time", "opentime", "time open", "timeopen", "time period start")
"""Names that leave no doubt: beside them, `timestamp` may be when the bar closed or was written."""
_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        *FIRST_TIMES, *_OPENING_TIMES, "ts event", "window start", "unix", "unix timestamp",
        "gmt time", "date time", "date/time", "data", "datum", "fecha", "begins at", "ts", "t",
    ),
    "open": ("open", "o", "open price", "opening price", "otwarcie", "eröffnung", "eröffn", "ouverture", "ouv"),
    "high": ("high", "h", "high price", "max", "najwyzszy", "hoch", "plus haut", "haut"),
    "low": ("low", "l", "low price", "min", "najnizszy", "tief", "plus bas", "bas"),
    "close": (
        "close", "c", "close/last", "last", "close price", "closing price", "price", "zamkniecie",
        "schluss", "schlusskurs", "zuletzt", "clôture", "clôt", "dernier",
    ),
    "volume": (
        "volume", "vol", "v", "real volume", "base volume", "volumefrom", "volume from", "wolumen", "volumen",
        "tickvol", "tick volume", "tickvolume",
    ),
    "adj_close": ("adj close", "adjusted close", "adjclose", "adjustedclose"),
    "symbol": ("symbol", "ticker", "instrument", "pair"),
    "splits": ("stock splits", "split coefficient", "split factor", "splitfactor"),
}  # fmt: skip
_UNNAMED = ("", "index", "unnamed: 0")
_NUMBERED = re.compile(r"^\d+[a-z]?\.\s+")
_FEWEST = 3
"""Prices that a line names when it is a header."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Positions, from 0, of the columns that are used.

    Attributes:
        time: One column, or a date and a time of day.
        prices: Open, high, low and close.
        volume: Candidates, best first; the second stands in for a first that is zero throughout.
        adj_close: Close adjusted for splits and dividends.
        splits: Units that one unit became on that day; 0 or 1 on others.
        header: Names of all columns, for messages; numbers from 1 where the file has none.
    """

    time: tuple[int, ...]
    prices: tuple[int, int, int, int]
    volume: tuple[int, ...] = ()
    adj_close: int | None = None
    symbol: int | None = None
    splits: int | None = None
    header: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[int, ...]:
        """Return every position that is read, once each."""
        others = (one for one in (self.adj_close, self.symbol, self.splits) if one is not None)
        return tuple(dict.fromkeys((*self.time, *self.prices, *self.volume, *others)))


def simple(name: str) -> str:
    """Return a column's name without case, brackets, stars and numbering: '<OPEN>', '1. open', 'Open*' are one."""
    text = _NUMBERED.sub("", str(name).strip().lower())
    return " ".join(re.sub(r"[<>*_.\"']+", " ", text).split())


def names_prices(cells: list[str]) -> bool:
    """Tell whether a line is a header: it names at least three of open, high, low and close."""
    names = {simple(cell) for cell in cells}
    return sum(bool(names.intersection(_NAMES[role])) for role in PRICES) >= _FEWEST


def by_name(header: list[str], sample: list[list[str]], name: str) -> Roles:
    """Find the columns by their names.

    Args:
        header: The file's column names.
        sample: Some of its rows, which tell a column of dates from one of times of day.
        name: The file, for messages.

    Raises:
        DataError: one that is needed is missing, or there more than once.
    """
    names = [simple(cell) for cell in header]
    missing = [role for role in PRICES if not any(column in names for column in _NAMES[role])]
    if missing:
        raise _without(missing, header, name)
    prices = tuple(_one(names, header, role, name) for role in PRICES)
    splits, adj_close, symbol = (_maybe(names, role) for role in ("splits", "adj_close", "symbol"))
    return Roles(
        time=_time(names, header, sample, name),
        prices=(prices[0], prices[1], prices[2], prices[3]),
        volume=_volumes(names, header, name),
        adj_close=adj_close,
        symbol=symbol,
        splits=splits,
        header=tuple(header),
    )


def _one(names: list[str], header: list[str], role: str, name: str) -> int:
    for wanted in _NAMES[role]:
        places = [at for at, column in enumerate(names) if column == wanted]
        if len(places) > 1:
            raise _twice(role, header, name)
        if places:
            return places[0]
    raise _without([role], header, name)


def _without(missing: list[str], header: list[str], name: str) -> DataError:
    """Say what is missing, all at once, and how a column of another name is told."""
    one = len(missing) == 1
    return DataError(
        f"{name} has no column{'' if one else 's'} {', '.join(missing)} (its columns: {_shown(header)}); expected "
        f"time, open, high, low, close and volume. Name {'it' if one else 'them'} with ",
        Setting("columns"),
        ", such as ",
        Setting("columns", ",".join(f"{role}=NAME" for role in missing)),
        ".",
    )


def _twice(role: str, header: list[str], name: str) -> DataError:
    return DataError(
        f"{name} has more than one column {role} (its columns: {_shown(header)}); keep one, "
        "or say which by its number, such as ",
        Setting("columns", f"{role}=2"),
        ".",
    )


def _shown(header: list[str]) -> str:
    return plain(", ".join(header), 120)


def _maybe(names: list[str], role: str) -> int | None:
    return next((names.index(wanted) for wanted in _NAMES[role] if wanted in names), None)


def _volumes(names: list[str], header: list[str], name: str) -> tuple[int, ...]:
    if names.count("volume") > 1:
        raise DataError(_twice("volume", header, name))
    found = [names.index(wanted) for wanted in _NAMES["volume"] if wanted in names]
    if found:
        return tuple(found)
    # 'Volume ETH' and 'Volume USD', 'Volume (BTC)': the first is in units of what is traded.
    return tuple(at for at, column in enumerate(names) if re.match(r"vol(ume)?\b", column))[:1]


def _time(  # noqa: PLR0911 - a list of what is tried, best first
    names: list[str], header: list[str], sample: list[list[str]], name: str
) -> tuple[int, ...]:
    opening = [at for at, column in enumerate(names) if column in _OPENING_TIMES]
    if len(opening) == 1:
        return (opening[0],)
    found = [at for at, column in enumerate(names) if column in FIRST_TIMES]
    if len(found) > 1:
        return _one_of_several(found, names, header, sample, name)
    if found:
        if all(re.match(r"\d{4}", cell) for cell in _cells(found[0], sample)):
            return (found[0],)
        # Where days and months might be mistaken for each other, a count beside them tells the same.
        counts = [
            at
            for at, column in enumerate(names)
            if column in ("unix", "unix timestamp") and _counts(at, sample)
        ]
        return tuple(counts[:1] or found)
    for wanted in _NAMES["time"]:
        if wanted in names:
            return (names.index(wanted),)
    if names and names[0] in _UNNAMED and not _row_numbers(0, sample):
        return (0,)
    if "index level 0" in names:
        return (names.index("index level 0"),)
    if len(names) and names[0] == "price" and names.count("close"):
        return (0,)  # yfinance names its levels there
    raise DataError(
        f"{name} has no column {' or '.join(FIRST_TIMES)} (its columns: {_shown(header)}); "
        "expected time, open, high, low, close and volume. Name it with ",
        Setting("columns"),
        ", such as ",
        Setting("columns", "time=NAME"),
        ".",
    )


def _one_of_several(
    found: list[int], names: list[str], header: list[str], sample: list[list[str]], name: str
) -> tuple[int, ...]:
    """Take a date and a time of day together, else the only one that counts since 1970."""
    days = [at for at in found if names[at] == "date"]
    clocks = [at for at in found if names[at] in ("time", "timestamp") and _of_day(at, sample)]
    if len(days) == 1 and len(clocks) == 1:
        return (days[0], clocks[0])
    counts = [at for at in found if _counts(at, sample)]
    if len(counts) == 1:
        return (counts[0],)
    raise DataError(_twice("time", header, name))


def _cells(at: int, sample: list[list[str]]) -> list[str]:
    return [row[at].strip() for row in sample if len(row) > at and row[at].strip()]


def _of_day(at: int, sample: list[list[str]]) -> bool:
    cells = _cells(at, sample)
    return bool(cells) and all(
        re.fullmatch(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?|\d{1,6}", cell) for cell in cells
    )


def _counts(at: int, sample: list[list[str]]) -> bool:
    cells = _cells(at, sample)
    return bool(cells) and all(re.fullmatch(r"\d{9,20}(\.\d*)?", cell) for cell in cells)


def _row_numbers(at: int, sample: list[list[str]]) -> bool:
    cells = _cells(at, sample)
    return bool(cells) and all(re.fullmatch(r"\d{1,7}", cell) for cell in cells)


def parse_columns(text: str) -> dict[str, str]:
    """Read `time=Datum,open=Eröffnung`: role to column, a column being a name or a number from 1.

    Raises:
        ValueError: a part is not ROLE=COLUMN, or a role is unknown or there twice; the message says which.
    """
    named: dict[str, str] = {}
    for part in text.split(","):
        role, equals, column = (word.strip() for word in part.partition("="))
        role = role.lower().replace(" ", "_").replace("-", "_")
        if not equals or not column:
            raise ValueError(f"{part.strip()!r} is not ROLE=COLUMN")
        if role not in ROLES:
            near = difflib.get_close_matches(role, ROLES, n=1)
            raise ValueError(f"{role!r} is no role" + (f" (did you mean {near[0]!r}?)" if near else ""))
        if role in named:
            raise ValueError(f"{role!r} is there twice")
        named[role] = column
    return named


def as_said(said: dict[str, str], header: list[str], sample: list[list[str]], name: str) -> Roles:
    """Find the columns that the user named, and the others by their names.

    Args:
        said: Role to column, as `parse_columns` gives it; a time may be two columns, `Date+Time`.
        header: The file's column names, or numbers from 1 where it has none.
        sample: Some rows.
        name: The file, for messages.

    Raises:
        DataError: the file has no such column, or a needed one is neither named nor found.
    """
    places = {
        role: tuple(_place(one, header, name) for one in _parts(role, column, header))
        for role, column in said.items()
    }
    # Under the names that roles have, the rest is found as in any file.
    renamed = list(header)
    for role, taken in places.items():
        for at, column in enumerate(renamed):
            if role != "time" and simple(column) in _NAMES[role]:
                renamed[at] = f"not {role}"
        for at in taken:
            renamed[at] = role
    if "time" in places:
        renamed = [
            f"other {column}" if simple(column) in _NAMES["time"] and at not in places["time"] else column
            for at, column in enumerate(renamed)
        ]
        renamed[places["time"][0]] = "time"
        for at in places["time"][1:]:
            renamed[at] = "clock"
    found = by_name(renamed, sample, name)
    return replace(found, time=places.get("time", found.time), header=tuple(header))


def _parts(role: str, column: str, header: list[str]) -> list[str]:
    whole = role != "time" or "+" not in column or column in header
    return [column] if whole else [part.strip() for part in column.split("+")]


def _place(column: str, header: list[str], name: str) -> int:
    for match in (
        lambda one: one == column,
        lambda one: one.strip().lower() == column.lower(),
        lambda one: simple(one) == simple(column),
    ):
        places = [at for at, one in enumerate(header) if match(one)]
        if len(places) == 1:
            return places[0]
    if re.fullmatch(r"[1-9]\d{0,3}", column) and int(column) <= len(header):
        return int(column) - 1
    near = difflib.get_close_matches(column, header, n=1)
    hint = f"; did you mean {plain(near[0], 30)!r}?" if near else ""
    raise DataError(
        f"{name} has no column {plain(column, 30)!r} (its columns: {_shown(header)}){hint or '.'} ",
        Setting("columns"),
        " takes names or numbers from 1.",
    )
