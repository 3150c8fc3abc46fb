"""`paper-sessions health|alerts|promotion`, both spellings and every form of their answers."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest
from support.asked_program import EDITED, READY, STALE, Said, every_state, no_sessions
from support.sessions_builder import Sessions

from quantlab.base.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEALTH = [
    "total_sessions",
    "success",
    "failed",
    "aborted",
    "running",
    "latest_session_id",
    "latest_session_at",
    "latest_session_state",
    "latest_issue_id",
    "latest_issue_state",
    "latest_issue_at",
    "latest_issue_error",
    "active_sessions",
]
ALERTS = [
    "root_dir",
    "generated_at",
    "stale_after_minutes",
    "total_sessions",
    "status_counts",
    "running_sessions",
    "alert_status",
    "has_alerts",
    "alert_counts",
    "latest_success_session_id",
    "latest_success_at",
    "latest_alert_session_id",
    "latest_alert_code",
    "latest_alert_at",
    "alerts",
]
ALERT = [
    "alert_code",
    "severity",
    "session_id",
    "status",
    "activity_at",
    "age_minutes",
    "error_type",
    "message",
    "path",
]
PROMOTION = [
    "root_dir",
    "generated_at",
    "max_candidates",
    "total_sessions",
    "promotion_ready_count",
    "promotion_blocked_count",
    "ready_candidates",
    "blocked_sessions",
    "criteria",
    "latest_ready_session_id",
    "latest_ready_at",
    "latest_blocked_session_id",
    "latest_blocked_at",
    "latest_blocked_reason",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with every_state(tmp_path_factory.mktemp("outputs") / "paper_sessions") as built:
        yield built


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return no_sessions(tmp_path / "empty")


def test_health_prints_the_contract_s_lines_first_and_in_order(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "--paper-sessions-health", root).out.splitlines()
    assert [line.split(" : ")[0] for line in lines[: len(HEALTH)]] == HEALTH


def test_health_counts_an_unknown_status_and_names_it(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "paper-sessions", "health", root)
    assert said.out.splitlines()[-1] == "status_paused : 1"
    assert "WARNING: old_session: unknown status 'paused'" in said.err


def test_a_file_that_cannot_be_read_is_named_on_stderr(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        "WARNING: old_session: can't be read: report.json" in Said(capsys, "--paper-sessions-list", root).err
    )


def test_health_of_an_empty_root_has_no_latest_session(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "health", empty).out.splitlines()
    assert lines[0] == "total_sessions : 0"
    assert "latest_session_id : None" in lines


def test_health_for_prometheus_has_help_type_and_labels(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Said(capsys, "paper-sessions", "health", root, "--format", "prometheus").out.splitlines()
    assert lines[1] == "# TYPE quantlab_paper_sessions gauge"
    assert f'quantlab_paper_sessions{{root="{root}",status="success"}} 5' in lines


def test_prometheus_leaves_out_the_time_of_a_session_that_is_not_there(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "paper-sessions", "health", empty, "--format", "prometheus")
    assert "timestamp" not in said.out


def test_health_as_json_and_csv_and_table_say_the_same(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "health", root, "--format")
    (row,) = csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out))
    assert row["total_sessions"] == str(Said(capsys, *asked, "json").json["total_sessions"])
    assert "paused   1" in Said(capsys, *asked, "table").out


def test_alerts_print_the_contract_s_json_and_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Said(capsys, "--paper-sessions-alerts", root, "--paper-stale-minutes", "60").json
    assert list(found)[: len(ALERTS)] == ALERTS
    assert all(list(alert)[: len(ALERT)] == ALERT for alert in found["alerts"])


def test_a_stale_alert_says_how_far_the_session_came_and_whether_its_process_lives(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts = Said(capsys, "--paper-sessions-alerts", root).json["alerts"]
    (stale,) = (alert for alert in alerts if alert["session_id"] == STALE)
    assert (stale["stage"], stale["bars_done"], stale["bars_expected"]) == ("simulating", 120, 730)
    assert stale["process_alive"] is None


def test_alerts_as_csv_and_table_name_every_alert(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("paper-sessions", "alerts", root, "--format")
    ids = [alert["session_id"] for alert in Said(capsys, *asked, "json").json["alerts"]]
    assert [row["session_id"] for row in csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out))] == ids
    table = Said(capsys, *asked, "table").out
    assert all(session_id in table for session_id in ids)


def test_the_alerts_table_of_a_quiet_root_is_one_line(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", empty, "--format", "table").out == "ok: 0 alerts\n"


def test_the_exit_code_of_alerts_is_critical_for_a_failure(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root, "--exit-code").code == 2


def test_the_exit_code_of_alerts_is_ok_for_a_quiet_root(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", empty, "--exit-code").code == 0


def test_the_exit_code_of_alerts_is_a_warning_for_an_aborted_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path / "root") as built:
        built.started("one", utc_now()).aborted("one", utc_now())
    assert Said(capsys, "paper-sessions", "alerts", built.root, "--exit-code").code == 1


def test_without_exit_code_alerts_exit_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root).code == 0


@pytest.mark.parametrize("arguments", [("--stale-minutes", "0"), ("--no-such-flag",)])
def test_alerts_that_could_not_tell_exit_3(
    root: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert Said(capsys, "paper-sessions", "alerts", root, "--exit-code", *arguments).code == 3


@pytest.mark.parametrize("minutes", ["0", "-1", "abc", "1.5", "", "9999999999", "\u0663"])
@pytest.mark.parametrize("flag", ["--stale-minutes", "--paper-stale-minutes"])
def test_stale_minutes_must_be_a_positive_whole_number(
    root: Path, capsys: pytest.CaptureFixture[str], flag: str, minutes: str
) -> None:
    said = Said(capsys, "--paper-sessions-alerts", root, flag, minutes)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "expected a positive whole number of minutes, at most 999,999,999." in said.err


def test_promotion_prints_the_contract_s_json_and_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Said(capsys, "--paper-sessions-promotion", root).json
    assert list(found) == PROMOTION
    assert found["latest_ready_session_id"] == READY


def test_promotion_names_at_most_max_candidates(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Said(capsys, "paper-sessions", "promotion", root, "--max-candidates", "1").json
    assert ([row["session_id"] for row in found["ready_candidates"]], found["promotion_ready_count"]) == (
        [READY],
        2,
    )


def test_promotion_as_csv_and_table_have_ready_and_blocked(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("paper-sessions", "promotion", root, "--format")
    rows = list(csv.DictReader(io.StringIO(Said(capsys, *asked, "csv").out)))
    assert {row["broker_promotion_ready"] for row in rows} == {"true", "false"}
    table = Said(capsys, *asked, "table").out
    assert re.search(rf"^{EDITED}  no .*\n +blocked by: .*amended_outside", table, re.MULTILINE)


def test_the_promotion_table_of_an_empty_root_says_what_ready_means(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, "paper-sessions", "promotion", empty, "--format", "table")
    assert said.out.splitlines()[0] == "0 in order, 0 blocked"
    assert "never that the strategy is good" in said.out
