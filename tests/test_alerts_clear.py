"""Alerts that are cleared, by an operator or by a later success, and those that tell of more than failures."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.asked_program import Said
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.clock import iso, utc_now
from quantlab.queries.alerts import Expected, alerts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from quantlab.queries.alerts import Alerts

HOUR = timedelta(hours=1)
DAY = Expected(every=timedelta(hours=26), said="26h")


@pytest.fixture(params=["sqlite", "postgresql"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sessions]:
    """Yield a root without sessions, on either engine."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    with Sessions(tmp_path / "root", url) as built:
        yield built


def asked(sessions: Sessions, **how: Any) -> Alerts:
    with sessions.reader() as reader:
        found = alerts(reader, now=NOW, stale_after=HOUR, is_alive=lambda *_: None, **how)
        viewed = reader.rows(
            "SELECT session_id, alert_code FROM session_alerts ORDER BY session_id, alert_code"
        )
    if not how:
        # The view goes by the database's clock, on which every session here is old; both leave out what was cleared.
        assert [(row["session_id"], row["alert_code"]) for row in viewed] == standing(found)
    return found


def standing(found: Alerts) -> list[tuple[str | None, str]]:
    return [(one["session_id"], one["alert_code"]) for one in found["alerts"]]


def failed(sessions: Sessions, session_id: str = "a", **started: Any) -> Sessions:
    return sessions.started(session_id, ago(hours=5), **started).failed(session_id, ago(hours=4))


def test_an_alert_that_was_resolved_is_left_out_and_counted(sessions: Sessions) -> None:
    failed(sessions).resolved("a", ago(hours=1))
    found = asked(sessions)
    assert (found["alerts"], found["alert_status"], found["has_alerts"]) == ([], "ok", False)
    assert (found["resolved_alerts"], found["superseded_alerts"]) == (1, 0)


def test_all_shows_what_was_cleared_and_how_and_the_status_does_not_go_by_it(sessions: Sessions) -> None:
    failed(sessions).resolved("a", ago(hours=1))
    failed(sessions, "b", config_hash="b" * 64, request_id=None)
    found = asked(sessions, with_cleared=True)
    assert [(one["session_id"], one["cleared_by"]) for one in found["alerts"]] == [
        ("a", "resolved"),
        ("b", None),
    ]
    assert found["alert_counts"] == {"critical": 1}


@pytest.mark.parametrize(
    "later",
    [
        lambda built: built.failed("a", ago(minutes=5)),
        lambda built: built.beat("a", ago(minutes=90)),
        lambda built: built.aborted("a", ago(minutes=5)),
    ],
)
def test_what_happens_after_a_resolution_is_a_new_alert(
    sessions: Sessions, later: Callable[[Sessions], object]
) -> None:
    sessions.started("a", ago(hours=5)).resolved("a", ago(hours=3))
    assert asked(sessions)["alerts"] == []
    later(sessions)
    assert len(asked(sessions)["alerts"]) == 1


@pytest.mark.parametrize("proved", [False, True])
def test_a_session_that_falls_silent_after_a_resolution_is_a_new_alert(
    sessions: Sessions, proved: bool
) -> None:
    sessions.started("a", ago(hours=5))
    if proved:  # a session that follows the market is proved while it goes on
        sessions.proved("a", ago(hours=4, minutes=58), outcome="different")
    sessions.resolved("a", ago(hours=4, minutes=55))
    assert standing(asked(sessions)) == [("a", "PAPER_SESSION_STALE")]
    assert asked(sessions)["resolved_alerts"] == proved


def test_a_resolution_of_a_stale_session_holds_for_whoever_asks_earlier(sessions: Sessions) -> None:
    """Whoever takes ten minutes for stale resolved it after twenty; an hour is another question."""
    sessions.started("a", ago(hours=5)).resolved("a", ago(hours=5) + timedelta(minutes=20))
    with sessions.reader() as reader:
        sooner = alerts(reader, now=NOW, stale_after=timedelta(minutes=10), is_alive=lambda *_: None)
    assert (sooner["alerts"], sooner["resolved_alerts"]) == ([], 1)
    assert standing(asked(sessions)) == [("a", "PAPER_SESSION_STALE")]


@pytest.mark.parametrize("same", [{"request_id": "r"}, {"config_hash": "d" * 64}])
def test_a_failure_is_superseded_by_a_later_success_of_its_request_or_configuration(
    sessions: Sessions, same: dict[str, str]
) -> None:
    failed(sessions, **{"request_id": "other", "config_hash": "f" * 64} | same)
    sessions.success("b", ago(hours=2), **{"request_id": "another", "config_hash": "e" * 64} | same)
    found = asked(sessions)
    assert (found["alerts"], found["superseded_alerts"]) == ([], 1)
    (shown,) = asked(sessions, with_cleared=True)["alerts"]
    assert shown["cleared_by"] == "superseded"


@pytest.mark.parametrize("ended", ["failed", "aborted"])
def test_an_earlier_success_supersedes_nothing(sessions: Sessions, ended: str) -> None:
    sessions.success("earlier", ago(days=2))
    sessions.started("a", ago(hours=5))
    getattr(sessions, ended)("a", ago(hours=4))
    assert [one["session_id"] for one in asked(sessions)["alerts"]] == ["a"]


def test_a_success_of_something_else_supersedes_nothing(sessions: Sessions) -> None:
    failed(sessions, request_id=None, config_hash="1" * 64)
    sessions.success("b", ago(hours=1), request_id=None, config_hash="2" * 64)
    assert standing(asked(sessions)) == [("a", "PAPER_SESSION_FAILED")]


def test_a_running_session_is_not_superseded(sessions: Sessions) -> None:
    sessions.started("a", ago(hours=5)).success("b", ago(hours=2))
    assert standing(asked(sessions)) == [("a", "PAPER_SESSION_STALE")]


@pytest.mark.parametrize("outcome", ["different", "impossible"])
def test_a_proof_that_failed_is_critical_until_an_identical_one(sessions: Sessions, outcome: str) -> None:
    sessions.success("a", ago(hours=3)).proved("a", ago(hours=2), outcome=outcome)
    found = asked(sessions)
    assert standing(found) == [("a", "PAPER_SESSION_PROOF_FAILED")]
    assert found["alert_status"] == "critical"
    sessions.proved("a", ago(hours=1))
    assert asked(sessions)["alerts"] == []


def test_a_failed_proof_after_a_resolution_is_a_new_alert(sessions: Sessions) -> None:
    sessions.success("a", ago(hours=3)).proved("a", ago(hours=2), outcome="different").resolved(
        "a", ago(hours=1)
    )
    assert asked(sessions)["resolved_alerts"] == 1
    sessions.proved("a", ago(minutes=1), outcome="different")
    assert standing(asked(sessions)) == [("a", "PAPER_SESSION_PROOF_FAILED")]


def test_equal_sessions_with_different_results_disagree(sessions: Sessions) -> None:
    for name, digest in (("a", "1"), ("b", "2"), ("c", "1")):
        sessions.started(name, ago(hours=3)).loaded(name, ago(hours=3))
        sessions.succeeded(name, ago(hours=2), digest=digest * 64)
    sessions.success("other", ago(hours=1), config_hash="9" * 64)
    found = asked(sessions)
    assert standing(found) == [(name, "PAPER_SESSION_DISAGREES") for name in "abc"]
    assert found["alert_counts"] == {"warning": 3}


def test_equal_sessions_with_equal_results_do_not_disagree(sessions: Sessions) -> None:
    sessions.success("a", ago(hours=3)).success("b", ago(hours=2))
    assert asked(sessions)["alerts"] == []


def test_a_success_within_the_expected_time_is_enough(sessions: Sessions) -> None:
    sessions.success("a", ago(hours=26))
    assert asked(sessions, expected=DAY)["alerts"] == []


def test_where_nothing_succeeded_for_the_expected_time_that_is_critical_and_last(sessions: Sessions) -> None:
    sessions.success("a", ago(hours=40))
    failed(sessions, "z", config_hash="5" * 64, request_id=None)
    found = asked(sessions, expected=DAY)
    assert standing(found) == [("z", "PAPER_SESSION_FAILED"), (None, "PAPER_SESSION_MISSING")]
    missing = found["alerts"][-1]
    assert (missing["severity"], missing["status"], missing["path"], missing["cleared_by"]) == (
        "critical",
        None,
        None,
        None,
    )
    assert (missing["age_minutes"], missing["activity_at"]) == (40 * 60 - 1, iso(ago(hours=40) + HOUR / 60))
    assert missing["message"] == "No session has succeeded within 26h; the last was a."
    assert found["alert_counts"] == {"critical": 2}


def test_a_success_of_another_ticker_is_not_the_expected_one(sessions: Sessions) -> None:
    sessions.success("a", ago(hours=1), ticker="SPY")
    expected = Expected(every=timedelta(hours=26), said="26h", ticker="ETH-USD")
    (missing,) = asked(sessions, expected=expected)["alerts"]
    assert missing["message"] == "No session of ETH-USD has succeeded within 26h; none ever did."
    assert (missing["activity_at"], missing["age_minutes"]) == (None, None)


def test_a_success_in_the_future_is_not_believed(sessions: Sessions) -> None:
    sessions.success("a", NOW + timedelta(days=400))
    assert standing(asked(sessions, expected=DAY)) == [(None, "PAPER_SESSION_MISSING")]


def test_since_leaves_out_older_alerts(sessions: Sessions) -> None:
    failed(sessions)
    sessions.started("b", ago(days=9), config_hash="7" * 64).failed("b", ago(days=8)).resolved("b", NOW)
    found = asked(sessions, since=iso(ago(days=1)))
    assert (standing(found), found["resolved_alerts"]) == ([("a", "PAPER_SESSION_FAILED")], 0)


def test_the_newest_alert_is_that_of_one_that_stands(sessions: Sessions) -> None:
    failed(sessions)
    sessions.started("b", ago(hours=2), config_hash="7" * 64).failed("b", ago(hours=1)).resolved("b", NOW)
    assert asked(sessions)["latest_alert_session_id"] == "a"


# The commands.


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root with a failed and a dead session, below the working folder."""
    monkeypatch.chdir(tmp_path)
    with Sessions(tmp_path / "outputs" / "paper_sessions") as built:
        failed(built, "one_failed", request_id=None, config_hash="1" * 64)
        built.started("two_dead", ago(days=2), config_hash="2" * 64)
        return built.root


def test_resolving_records_the_reason_and_clears_the_alert(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(
        capsys, "paper-sessions", "resolve", "one_failed", "two_dead", "--reason", "the disk was full"
    )
    assert (said.code, said.out.splitlines()) == (
        0,
        ["one_failed: resolved, the disk was full", "two_dead: resolved, the disk was full"],
    )
    after = Said(capsys, "paper-sessions", "alerts", "--exit-code")
    assert (after.code, after.json["resolved_alerts"]) == (0, 2)
    shown = Said(capsys, "paper-sessions", "show", "one_failed", "--format", "json").json
    last = shown["timeline"][-1]
    assert (last["type"], last["actor"], last["message"]) == ("resolved", "operator", "the disk was full")
    assert shown["status"] == "failed"
    assert (root / "paper_sessions_index.json").exists()


def test_a_root_is_resolved_by_time_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "resolve", root, "--reason", "seen")
    assert said.code == 2
    assert "is a root; expected its sessions, or --before TIME beside it." in said.err


def test_the_flag_spelling_resolves_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "--paper-sessions-resolve", root / "one_failed", "--reason", "seen")
    assert (said.code, said.out) == (0, "one_failed: resolved, seen\n")


def test_before_resolves_every_older_alert_of_a_root(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    between = iso(ago(days=1))
    said = Said(capsys, "paper-sessions", "resolve", root, "--before", between, "--reason", "power cut")
    assert (said.code, said.out) == (0, "two_dead: resolved, power cut\n")
    again = Said(capsys, "paper-sessions", "resolve", "--before", between, "--reason", "power cut")
    assert (again.code, again.out) == (0, "No alert of that time is standing; nothing was recorded.\n")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("one_failed", "--reason", " "), "The reason is empty"),
        (("one_failed",), "--reason"),
        (("--reason", "x"), "SESSION_DIR is missing"),
        (("nobody", "--reason", "x"), "No session 'nobody'"),
        (("one_failed", "nobody", "--reason", "x"), "No session 'nobody'"),
        (("a", "b", "--before", "2026-01-01", "--reason", "x"), "of one ROOT"),
        (("--before", "soon", "--reason", "x"), "--before: 'soon' is no time"),
    ],
)
@pytest.mark.usefixtures("root")
def test_what_can_not_be_resolved_is_refused_and_nothing_recorded(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    said = Said(capsys, "paper-sessions", "resolve", *words)
    assert (said.code, said.err.count("\n"), why in said.err) == (2, 1, True)
    assert Said(capsys, "paper-sessions", "alerts").json["resolved_alerts"] == 0


@pytest.mark.usefixtures("root")
def test_a_check_that_expects_sessions_fails_where_nothing_ran(capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "alerts", "--expect-every", "26h", "--ticker", "SPY", "--exit-code")
    assert (said.code, said.json["latest_alert_code"]) == (2, "PAPER_SESSION_FAILED")
    assert said.json["alerts"][-1]["message"] == "No session of SPY has succeeded within 26h; none ever did."
    table = Said(capsys, "paper-sessions", "alerts", "--expect-every", "26h", "--format", "table")
    assert "None" not in table.out
    assert "MISSING" in table.out


@pytest.mark.parametrize("words", [("--expect-every", "soon"), ("--expect-every", "0h"), ("--ticker", "SPY")])
@pytest.mark.usefixtures("root")
def test_an_expectation_that_is_none_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    said = Said(capsys, "paper-sessions", "alerts", *words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("command", ["alerts", "health"])
def test_a_root_without_ledger_and_sessions_is_not_ok(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    (tmp_path / "something_else").mkdir()
    said = Said(capsys, f"--paper-sessions-{command}", tmp_path)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "holds neither a ledger nor a session" in said.err
    if command == "alerts":
        assert Said(capsys, "--paper-sessions-alerts", tmp_path, "--exit-code").code == 3


@pytest.mark.parametrize("command", ["alerts", "health"])
def test_an_empty_ledger_is_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with Sessions(tmp_path):
        pass
    assert Said(capsys, "paper-sessions", command, tmp_path).code == 0


def test_ages_are_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Sessions(tmp_path) as built:
        built.started("a", utc_now() - timedelta(days=322)).failed("a", utc_now() - timedelta(days=321))
    lines = Said(capsys, "paper-sessions", "alerts", tmp_path, "--format", "table").out.splitlines()
    assert lines[1].split() == ["session_id", "alert", "age", "message"]
    assert lines[2].split()[:4] == ["a", "FAILED", "321", "d"]
