"""Where a refresh of the root's index takes long, the ends of sessions refresh it seldom."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from support.index_files import as_json, markdown_rows
from support.root_files import ONE, TWO
from support.sessions_builder import NOW, Sessions, ago

from quantlab.exports import index, index_pace
from quantlab.exports.index import MARKDOWN, refresh_after_end, rewrite, write
from quantlab.exports.index_pace import REST, Refresh, is_due

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def after(seconds: float) -> Refresh:
    """Return a refresh of 4 s that ended so many seconds before `NOW`."""
    return Refresh(NOW - timedelta(seconds=seconds), 4.0)


def test_an_end_refreshes_where_nothing_is_known_of_the_last_refresh() -> None:
    assert is_due(None, NOW)


def test_every_end_refreshes_where_that_takes_half_a_second() -> None:
    assert is_due(Refresh(NOW, 0.5), NOW)


def test_after_a_slow_refresh_ends_rest_for_twenty_times_as_long() -> None:
    assert [is_due(after(seconds), NOW) for seconds in (0, 79.9, 80)] == [False, False, True]


def test_a_refresh_in_the_future_is_not_believed() -> None:
    assert is_due(after(-1), NOW)


@pytest.mark.parametrize("every", [0.5, 7, 90])
@pytest.mark.parametrize("takes", [0.51, 4, 32])
def test_under_a_steady_stream_of_ends_a_twentieth_of_the_time_goes_into_refreshing(
    every: float, takes: float
) -> None:
    """Simulate sessions that end one after the other, each refreshing in its own time where that is due."""
    at, last, refreshes = 0.0, None, 0
    while refreshes < 50:
        at += every
        if is_due(last, NOW + timedelta(seconds=at)):
            at, refreshes = at + takes, refreshes + 1
            last = Refresh(NOW + timedelta(seconds=at), takes)
    assert refreshes * takes / at <= 0.05


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": "soon", "seconds": 1}', '{"at": 1}', "\x00"])
def test_a_note_that_cannot_be_read_is_no_note(tmp_path: Path, content: str) -> None:
    (tmp_path / index_pace.LOCK).write_text(content)
    assert index_pace.read(tmp_path) is None


def test_a_refresh_keeps_when_it_ended_and_how_long_it_took(sessions: Sessions) -> None:
    rewrite(sessions.store, sessions.root, now=NOW)
    kept = index_pace.read(sessions.root)
    assert kept is not None
    assert kept.at - NOW == pytest.approx(timedelta(seconds=kept.seconds), abs=timedelta(milliseconds=1))
    assert kept.seconds > 0


def test_an_end_leaves_exports_behind_that_were_slow_to_write_and_they_say_so(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    head = write(sessions.store, sessions.root)
    index_pace.note(sessions.root, Refresh(NOW, 4.0))
    sessions.success(TWO, ago(minutes=30))
    assert refresh_after_end(sessions.store, sessions.root, now=NOW) is False
    document = as_json(sessions.root)
    assert (document["ledger_sequence"], document["n_sessions"]) == (head.sequence, 1)


def test_the_next_end_that_is_due_brings_the_exports_up(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1))
    index_pace.note(sessions.root, Refresh(NOW, 4.0))
    later = NOW + timedelta(seconds=4 * REST)
    assert refresh_after_end(sessions.store, sessions.root, now=later)
    assert as_json(sessions.root)["n_sessions"] == 1


def test_an_end_that_waited_for_another_ones_slow_refresh_does_not_write_one_more(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.success(ONE, ago(hours=1))

    def slow_meanwhile(*_: object) -> bool:
        index_pace.note(sessions.root, Refresh(NOW, 4.0))
        return False

    monkeypatch.setattr(index, "_is_shown", slow_meanwhile)
    assert refresh_after_end(sessions.store, sessions.root, now=NOW) is False


def test_the_page_shows_the_newest_sessions_and_says_how_many_it_leaves_out(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "MARKDOWN_SESSIONS", 2)
    sessions.success("c_oldest", ago(hours=3)).success("b", ago(hours=2)).success("a_newest", ago(hours=1))
    sessions.adopted("without_time", NOW)
    write(sessions.store, sessions.root)
    page = (sessions.root / MARKDOWN).read_text()
    assert [row.split(" | ")[0] for row in markdown_rows(sessions)] == ["| a_newest", "| b"]
    assert "The newest 2 of 4 sessions; the csv and json beside this page hold all." in page


def test_a_page_that_shows_every_session_says_nothing_of_others(sessions: Sessions) -> None:
    sessions.success(ONE, ago(hours=1)).adopted("without_time", NOW)
    write(sessions.store, sessions.root)
    assert len(markdown_rows(sessions)) == 2
    assert "newest" not in (sessions.root / MARKDOWN).read_text()
