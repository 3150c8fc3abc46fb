"""The prices cache: whole or not at all, found by ticker, interval and range, damage named."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from support.prices_cases import asked, daily, same_bars

from quantlab.base.errors import ConfigError, DataError
from quantlab.trading.market import Origin
from quantlab.trading.prices import cache
from quantlab.trading.prices.asked import Received

if TYPE_CHECKING:
    from pathlib import Path

BY = "20260101_000000_paper_000000000000"
YAHOO = Origin(
    source="yahoo", detail="UTC", adjusted=True, retrieved_at="2026-01-01T00:00:00+00:00", notes=("N.",)
)


def received(origin: Origin = YAHOO, **changes: Any) -> Received:
    return Received(prices=replace(daily("2023-01-01", "2023-12-31"), origin=origin), **changes)


def kept(folder: Path, **changes: Any) -> Path:
    cache.store(folder, asked(), received(**changes), BY)
    return cache.entry_path(folder, asked())


def table_of(entry: Path) -> Path:
    return entry.parent / str(json.loads(entry.read_text())["table"])


def test_what_was_kept_comes_back_with_its_origin(tmp_path: Path) -> None:
    download = cache.store(tmp_path, asked(), received(), BY)
    found = cache.fetch(tmp_path, asked())
    assert same_bars(found.prices, received().prices)
    assert found.prices.origin == replace(YAHOO, from_cache=True, download=download)


@pytest.mark.parametrize(
    "change", [{}, {"splits": [["2023-02-01T00:00:00", 4.0]]}, {"dropped": ["2023-02-01"]}, {"notes": []}]
)
def test_an_entry_that_says_anything_else_is_another_download(tmp_path: Path, change: dict[str, Any]) -> None:
    download = cache.store(tmp_path, asked(), received(), BY)
    entry = cache.entry_path(tmp_path, asked())
    if change:
        entry.write_text(json.dumps({**json.loads(entry.read_text()), **change}))
    found = cache.fetch(tmp_path, asked()).prices.origin.download
    assert found is not None
    assert (found.by, found == download) == (BY, not change)


def test_an_entry_is_two_files_and_nothing_else(tmp_path: Path) -> None:
    entry = kept(tmp_path / "new" / "cache")
    assert entry.name == "ETH-USD_1d_2023-01-01_2024-01-01.json"
    assert sorted(path.name for path in entry.parent.iterdir()) == sorted([entry.name, table_of(entry).name])


def test_what_was_done_to_the_bars_is_kept(tmp_path: Path) -> None:
    times = ("2023-02-01T00:00:00+00:00", "2023-11-01T00:00:00+00:00")
    kept(tmp_path, dropped=times, repeated_bars=2, unfinished_bar_dropped=True)
    whole = cache.fetch(tmp_path, asked())
    part = cache.fetch(tmp_path, asked(end="2023-06-01"))
    assert (whole.dropped, whole.unfinished_bar_dropped, whole.repeated_bars) == (times, True, 2)
    assert (part.dropped, part.unfinished_bar_dropped) == (times[:1], False)


def test_dropped_bars_at_the_ends_of_a_part_are_told_as_its_bars_are(tmp_path: Path) -> None:
    time = "2023-07-02T00:00:00+00:00"
    kept(tmp_path, dropped=(time,))
    before, after = asked(end="2023-07-02"), asked(start="2023-07-02")
    assert (cache.fetch(tmp_path, before).dropped, cache.fetch(tmp_path, after).dropped) == ((), (time,))


def test_an_entry_of_the_first_release_is_read(tmp_path: Path) -> None:
    entry = kept(tmp_path)
    content = json.loads(entry.read_text())
    del content["repeated_bars"], content["downloaded_by"]
    entry.write_text(json.dumps(content))
    found = cache.fetch(tmp_path, asked())
    assert found.repeated_bars == 0
    assert found.prices.origin.download is not None
    assert found.prices.origin.download.by == ""


def test_a_part_of_the_range_is_cut_out(tmp_path: Path) -> None:
    kept(tmp_path)
    part = cache.fetch(tmp_path, asked(start="2023-03-01", end="2023-05-01"))
    assert same_bars(part.prices, daily("2023-03-01", "2023-04-30"))


def test_the_latest_download_is_used(tmp_path: Path) -> None:
    kept(tmp_path)
    later = replace(YAHOO, retrieved_at="2026-02-01T00:00:00+00:00")
    cache.store(tmp_path, asked(start="2022-12-31"), received(origin=later), BY)
    assert cache.fetch(tmp_path, asked()).prices.origin.retrieved_at == later.retrieved_at


def test_a_tickers_case_does_not_matter(tmp_path: Path) -> None:
    kept(tmp_path)
    assert cache.holds(tmp_path, asked(ticker="eth-usd"))


@pytest.mark.parametrize(
    "change",
    [{"ticker": "BTC-USD"}, {"interval": "1h"}, {"start": "2022-12-31"}, {"end": "2024-01-02"}],
)
def test_other_bars_are_not_found(tmp_path: Path, change: dict[str, Any]) -> None:
    kept(tmp_path)
    with pytest.raises(DataError, match="does not hold"):
        cache.fetch(tmp_path, asked(**change))


def test_an_empty_cache_tells_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Run once with --prices yahoo and a network"):
        cache.fetch(tmp_path / "none", asked())


def test_no_cache_tells_the_way_out() -> None:
    with pytest.raises(DataError, match="There is no prices cache to read ETH-USD at 1d"):
        cache.fetch(None, asked())


def test_a_changed_table_is_named_and_not_used(tmp_path: Path) -> None:
    table = table_of(kept(tmp_path))
    table.write_bytes(table.read_bytes().replace(b"100.0", b"100.1", 1))
    with pytest.raises(DataError, match=f"are damaged: .*{table.name} does not match its hash"):
        cache.fetch(tmp_path, asked())


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    table = table_of(kept(tmp_path))
    table.unlink()
    with pytest.raises(DataError, match=f"{table.name} cannot be read"):
        cache.fetch(tmp_path, asked())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"ticker": 5}', b"\xff"])
def test_an_unreadable_entry_is_named(tmp_path: Path, content: bytes) -> None:
    entry = kept(tmp_path)
    entry.write_bytes(content)
    with pytest.raises(DataError, match=entry.name):
        cache.fetch(tmp_path, asked())


def test_a_whole_entry_is_used_instead_of_a_damaged_one_and_says_so(tmp_path: Path) -> None:
    whole = kept(tmp_path)
    later = replace(YAHOO, retrieved_at="2026-02-01T00:00:00+00:00")
    wider = asked(start="2022-12-31", end="2024-01-02")
    cache.store(tmp_path, wider, received(origin=later), BY)
    damaged = cache.entry_path(tmp_path, wider)
    table = table_of(damaged)
    table.write_bytes(b"")
    found = cache.fetch(tmp_path, asked())
    assert found.prices.origin.retrieved_at == YAHOO.retrieved_at
    assert damaged.name in found.prices.origin.notes[-1]
    assert whole.exists()


def test_a_damaged_entry_of_another_ticker_does_no_harm(tmp_path: Path) -> None:
    kept(tmp_path)
    (tmp_path / "BTC-USD_1d_2023-01-01_2024-01-01.json").write_bytes(b"{")
    (tmp_path / "notes.json").write_bytes(b"{")
    assert cache.fetch(tmp_path, asked()).prices.origin.notes == ("N.",)


def test_a_table_outside_the_cache_is_never_read(tmp_path: Path) -> None:
    entry = kept(tmp_path / "cache")
    content = json.loads(entry.read_text())
    (tmp_path / "outside.csv").write_bytes(table_of(entry).read_bytes())
    entry.write_text(json.dumps({**content, "table": "../outside.csv"}))
    assert not cache.holds(tmp_path / "cache", asked())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="choose another --outdir"):
        kept(tmp_path / "file")


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        kept(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_can_be_written_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        entry = kept(tmp_path)
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in (entry, table_of(entry))} == {0o664}
