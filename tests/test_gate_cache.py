"""Anybody can write the download cache: the gate believes what a session of the ledger downloaded."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, Said, document, events_of, said, session_of, sessions_of

from quantlab.trading.market import Origin
from quantlab.trading.prices import yahoo
from quantlab.trading.prices.asked import Received
from quantlab.trading.prices.table import data_hash, from_csv

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quantlab.trading.prices.asked import AskedBars

Row = dict[str, Any]

START, END = "2022-01-01", "2023-12-31"
DOUBTED = ["doubtful_data"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Prices that no ledger of these tests knows."""
    where = tmp_path_factory.mktemp("made")
    assert said(where, *PAPER, "--ticker", "BTC-USD", "--no-charts").code == 0
    return (session_of(where) / "artifacts" / "prices.csv").read_bytes()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, table: bytes) -> None:
    """Have Yahoo send these prices."""

    def fetch(asked: AskedBars, **_: object) -> Received:
        origin = Origin(source="yahoo", detail="UTC", adjusted=True, retrieved_at=asked.retrieved_at)
        return Received(prices=from_csv(table, origin))

    monkeypatch.setattr(yahoo, "fetch", fetch)


def launch(folder: Path, *more: str, start: str = START) -> Said:
    words = ("--ticker", "ETH-USD", "--start", start, "--end", END, "--no-charts", *more)
    done = said(folder, *words)
    assert done.code == 0, done.err
    return done


def entry_of(folder: Path) -> Path:
    (entry,) = (folder / "outputs" / "prices_cache").glob("*.json")
    return entry


def write_by_hand(folder: Path, table: bytes, **more: Any) -> None:
    """Write what looks like a download, as anybody can."""
    cache = folder / "outputs" / "prices_cache"
    cache.mkdir(parents=True, exist_ok=True)
    told = {
        "ticker": "ETH-USD",
        "interval": "1d",
        "start": START,
        "end": END,
        "source": "yahoo",
        "detail": "UTC",
        "adjusted": True,
        "retrieved_at": "2026-05-06T00:00:00+00:00",
        "notes": [],
        "unfinished_bar_dropped": False,
        "dropped": [],
        "table": "hand.csv",
        "data_hash": data_hash(table),
    }
    (cache / "hand.csv").write_bytes(table)
    (cache / f"ETH-USD_1d_{START}_{END}.json").write_text(json.dumps(told | more))


def latest(folder: Path) -> Row:
    """Return the row of the session that was launched last."""
    done = said(folder, "paper-sessions", "promotion", "--max-candidates", "99")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    rows = {row["session_id"]: row for row in (*found["ready_candidates"], *found["blocked_sessions"])}
    newest: Row = max(rows.values(), key=lambda row: row["created_at"])
    return newest


def blockers(folder: Path) -> list[str]:
    return list(latest(folder)["broker_promotion_blockers"])


@pytest.mark.parametrize("words", [("--offline",), ("--prices", "cache")], ids=str)
def test_an_entry_written_by_hand_blocks_and_is_told_at_once(
    tmp_path: Path, table: bytes, words: tuple[str, ...]
) -> None:
    write_by_hand(tmp_path, table)
    done = launch(tmp_path, "--paper", *words)
    assert "WARNING: no session of this ledger downloaded the prices" in done.err
    row = latest(tmp_path)
    assert (row["broker_promotion_blockers"], row["data_doubts"]) == (DOUBTED, "unrecorded_download")
    told = document(session_of(tmp_path) / "session_metadata.json")["data"]
    assert told["doubts"] == ["unrecorded_download"]


@pytest.mark.usefixtures("network")
def test_a_download_is_recorded_and_its_entry_believed_from_then_on(tmp_path: Path, table: bytes) -> None:
    launch(tmp_path, "--paper")
    recorded = next(
        json.loads(payload)["data"] for _, payload in events_of(tmp_path) if '"data":{' in payload
    )
    entry = entry_of(tmp_path)
    expected = {"by": session_of(tmp_path).name, "entry": data_hash(entry.read_bytes())}
    assert (recorded["from_cache"], recorded["download"]) == (False, expected)
    assert document(entry)["data_hash"] == data_hash(table)

    done = launch(tmp_path, "--paper", "--offline")
    assert ("WARNING" in done.err, blockers(tmp_path)) == (False, [])


@pytest.mark.usefixtures("network")
def test_a_part_of_a_recorded_download_is_believed_too(tmp_path: Path) -> None:
    launch(tmp_path, "--paper")
    launch(tmp_path, "--paper", "--offline", start="2022-03-01")
    assert blockers(tmp_path) == []


@pytest.mark.usefixtures("network")
def test_a_root_that_is_copied_with_its_cache_goes_on_believing_it(tmp_path: Path) -> None:
    launch(tmp_path, "--paper")
    shutil.copytree(tmp_path / "outputs", tmp_path / "elsewhere" / "outputs")
    launch(tmp_path / "elsewhere", "--paper", "--offline")
    assert blockers(tmp_path / "elsewhere") == []


@pytest.mark.usefixtures("network")
def test_a_cache_that_is_copied_without_its_ledger_is_doubted_until_it_is_downloaded(tmp_path: Path) -> None:
    launch(tmp_path, "--paper")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "outputs" / "prices_cache", elsewhere / "outputs" / "prices_cache")
    launch(elsewhere, "--paper", "--offline")
    assert blockers(elsewhere) == DOUBTED
    launch(elsewhere, "--paper")
    launch(elsewhere, "--paper", "--offline")
    assert blockers(elsewhere) == []


@pytest.mark.usefixtures("network")
def test_a_research_run_s_download_is_doubted(tmp_path: Path) -> None:
    launch(tmp_path)
    launch(tmp_path, "--paper", "--offline")
    assert blockers(tmp_path) == DOUBTED


def other_table(entry: Path) -> Row:
    path = entry.parent / document(entry)["table"]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    return {"data_hash": data_hash(path.read_bytes())}


FORGERIES: dict[str, Callable[[Path], Row]] = {
    "another table": other_table,
    "another ticker's range": lambda _: {"end": "2024-06-01"},
    "bars that came without a price left unsaid": lambda _: {"repeated_bars": 1},
    "a split left unsaid": lambda _: {"splits": [["2022-05-05T00:00:00+00:00", 2.0]]},
    "no session": lambda _: {"downloaded_by": ""},
}


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_an_entry_edited_under_the_name_of_a_real_download_blocks(
    tmp_path: Path, forge: Callable[[Path], Row]
) -> None:
    launch(tmp_path, "--paper")
    entry = entry_of(tmp_path)
    entry.write_text(json.dumps(document(entry) | forge(entry)))
    launch(tmp_path, "--paper", "--offline")
    assert blockers(tmp_path)[0:1] == DOUBTED


def test_an_entry_that_a_session_read_is_no_download_by_it(tmp_path: Path, table: bytes) -> None:
    write_by_hand(tmp_path, table)
    launch(tmp_path, "--paper", "--offline")
    write_by_hand(tmp_path, table, downloaded_by=session_of(tmp_path).name)
    launch(tmp_path, "--paper", "--offline")
    assert (len(sessions_of(tmp_path)), blockers(tmp_path)) == (2, DOUBTED)
