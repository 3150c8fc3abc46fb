"""An operator closes a session that no process will end any more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.legacy_root import legacy_id, make_legacy_session
from support.root_files import (
    ONE,
    REPOSITORY,
    TWO,
    dead_pid,
    edit,
    finished,
    living_process,
    reconciled,
    row,
    run_cli,
    running,
    types,
)
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.errors import ConfigError, ConflictError, QuantlabError, SessionEndedError
from quantlab.base.process import start_mark, this_host
from quantlab.domain.events import OPERATOR, Heartbeat
from quantlab.ledger.log import Entry
from quantlab.sessions import abort as closing
from quantlab.sessions.abort import abort
from quantlab.sessions.stop_note import left

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.domain.session import Session

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield built


def close(sessions: Sessions, session_id: str = TWO, reason: str = "power cut", **how: Any) -> Session:
    return abort(sessions.store, sessions.root, session_id, reason, now=NOW, **how)


def test_a_dead_session_is_closed_with_the_operators_reason(sessions: Sessions) -> None:
    running(sessions)
    close(sessions)
    shown = row(sessions, TWO)
    assert (shown["status"], shown["status_reason"], shown["message"]) == (
        "aborted",
        "operator_abort",
        "power cut",
    )


def test_the_event_is_the_operators(sessions: Sessions) -> None:
    running(sessions)
    close(sessions)
    with sessions.reader() as reader:
        (event,) = reader.rows("SELECT actor, payload FROM events WHERE type = 'aborted'")
    assert (event["actor"], json.loads(event["payload"])["message"]) == (OPERATOR, "power cut")


def test_the_files_and_exports_show_the_end(sessions: Sessions) -> None:
    folder = running(sessions)
    close(sessions)
    status = json.loads((folder / "session_status.json").read_bytes())
    exported = json.loads((sessions.root / "paper_sessions_index.json").read_bytes())
    assert (status["status"], status["terminal"], status["error_type"]) == ("aborted", True, "SessionAborted")
    assert exported["sessions"][0]["status"] == "aborted"


def test_nothing_is_left_for_reconcile(sessions: Sessions) -> None:
    running(sessions)
    close(sessions)
    found = reconciled(sessions)
    assert (found.amended, found.remade) == ([], {})


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_a_reason_is_required(sessions: Sessions, reason: str) -> None:
    running(sessions)
    with pytest.raises(ConfigError, match="reason is empty"):
        close(sessions, reason=reason)


def test_an_unknown_session_is_named(sessions: Sessions) -> None:
    with pytest.raises(ConfigError, match="No session 'nobody'"):
        close(sessions, "nobody")


def test_a_session_that_has_ended_stays_as_it_is(sessions: Sessions) -> None:
    finished(sessions)
    before = types(sessions, ONE)
    with pytest.raises(SessionEndedError, match=r"has ended already \(success at 2026"):
        close(sessions, ONE)
    assert types(sessions, ONE) == before


def test_a_living_session_is_refused_and_its_process_named(sessions: Sessions) -> None:
    with living_process() as process:
        process.pop("popen")
        running(sessions, **process)
        with pytest.raises(QuantlabError, match=rf"at work as process {process['pid']}.*--signal"):
            close(sessions)
        assert "aborted" not in types(sessions, TWO)


def test_a_process_with_the_same_pid_is_not_the_sessions(sessions: Sessions) -> None:
    running(sessions, pid=os.getpid(), process="another boot:1")
    assert close(sessions).status == "aborted"


def test_a_process_that_may_be_another_s_is_neither_signalled_nor_taken_for_the_session_s(
    sessions: Sessions,
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        running(sessions, pid=bystander.pid)  # its files tell a number, and not when the process began
        for signal_first in (True, False):
            with pytest.raises(QuantlabError, match=rf"may be .* or another.*ps -fp {bystander.pid}"):
                close(sessions, signal_first=signal_first)
        assert close(sessions, signal_first=True, force=True).status == "aborted"
        assert bystander.poll() is None
        bystander.kill()


def test_a_session_whose_folder_was_renamed_is_closed_where_it_is_now(sessions: Sessions) -> None:
    running(sessions).rename(sessions.root / "renamed")
    assert close(sessions, folder="renamed").path == "renamed"
    assert json.loads((sessions.root / "renamed" / "session_status.json").read_text())["status"] == "aborted"
    assert not (sessions.root / TWO).exists()


def test_a_session_of_another_host_is_refused_unless_forced(sessions: Sessions) -> None:
    running(sessions, host="another")
    with pytest.raises(QuantlabError, match=r"on host another, which can't be seen.*--force"):
        close(sessions)
    assert close(sessions, force=True).status == "aborted"


def test_a_process_that_goes_at_the_signal_without_an_end_is_closed(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living_process() as process:
        popen = process.pop("popen")
        running(sessions, **process)
        monkeypatch.setattr(closing.logger, "info", lambda *_: popen.wait())
        shown = close(sessions, signal_first=True)
    assert shown.message == "power cut"


def test_a_process_that_ends_its_session_at_the_signal_keeps_its_own_words(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living_process() as process:
        process.pop("popen")
        running(sessions, **process)
        monkeypatch.setattr(closing.logger, "info", lambda *_: sessions.aborted(TWO, NOW))
        shown = close(sessions, signal_first=True)
    assert shown.message == "SIGTERM"


def test_a_process_that_stays_is_named_and_nothing_is_recorded(
    sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "quantlab")
    with living_process(STUBBORN) as process:
        process.pop("popen").stdout.readline()
        running(sessions, **process)
        with pytest.raises(QuantlabError, match="still alive 0 s after SIGTERM"):
            close(sessions, signal_first=True, wait_seconds=0.1)
        assert "aborted" not in types(sessions, TWO)
    assert caplog.messages == [f"Asked process {process['pid']} to stop; waiting up to 0 s for its end."]


def test_a_process_that_went_before_the_signal_is_no_error(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(sessions)
    answers = iter([True, False])
    monkeypatch.setattr(closing, "is_alive", lambda *_: next(answers))
    assert close(sessions, signal_first=True).status == "aborted"


def test_a_process_of_another_user_cannot_be_asked(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_pid: int, number: int) -> None:
        if number:
            raise PermissionError

    running(sessions, pid=os.getpid(), process=start_mark(os.getpid()))
    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(QuantlabError, match="belongs to another user"):
        close(sessions, signal_first=True)


def test_a_session_that_moves_on_meanwhile_is_not_closed(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(sessions)
    stale = closing._session_of(sessions.store, TWO)
    sessions.beat(TWO, NOW)
    monkeypatch.setattr(closing, "_session_of", lambda *_: stale)
    with pytest.raises(ConflictError, match="has moved on while it was being closed"):
        close(sessions)


def test_an_adopted_session_that_runs_and_is_terminal_is_told_how_to_put_that_right(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "session_status.json").write_text(
        '{"session_id": "one", "status": "running", "terminal": true}'
    )
    done = run_cli("paper-sessions", "abort", "one", "--reason", "gone", cwd=tmp_path)
    assert (done.returncode, "session_status.json and run 'quantlab paper-sessions index" in done.stderr) == (
        1,
        True,
    )


def test_a_session_that_ends_meanwhile_is_said_to_have_ended(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    running(sessions)
    stale = closing._session_of(sessions.store, TWO)
    sessions.failed(TWO, NOW)
    monkeypatch.setattr(closing, "_session_of", lambda *_: stale)
    with pytest.raises(ConflictError):
        close(sessions)
    assert types(sessions, TWO)[-1] == "failed"


def test_a_process_that_wakes_up_afterwards_changes_nothing(sessions: Sessions) -> None:
    running(sessions)
    close(sessions)
    version = row(sessions, TWO)["last_version"]
    beat = Heartbeat(stage="simulating", bars_done=300)
    late = Entry(session_id=TWO, session_version=version, event=beat, occurred_at=NOW)
    with pytest.raises(SessionEndedError, match="has ended"):
        sessions.recorder.record(late)
    assert row(sessions, TWO)["status"] == "aborted"


def test_an_adopted_running_session_is_closed_and_keeps_its_other_fields(sessions: Sessions) -> None:
    folder = sessions.root / legacy_id(0)
    make_legacy_session(folder, 0, "running")
    edit(folder / "session_status.json", note="mine")
    reconciled(sessions)
    close(sessions, legacy_id(0))
    status = json.loads((folder / "session_status.json").read_bytes())
    assert (status["status"], status["terminal"], status["message"], status["note"]) == (
        "aborted",
        True,
        "power cut",
        "mine",
    )
    assert reconciled(sessions).amended == []


def test_the_command_closes_a_session_and_says_so(sessions: Sessions) -> None:
    folder = running(sessions)
    answer = run_cli("paper-sessions", "abort", str(folder), "--reason", "power cut", cwd=REPOSITORY)
    assert (answer.returncode, answer.stdout) == (0, f"{TWO} is aborted: power cut\n")


def test_the_command_needs_a_reason(sessions: Sessions) -> None:
    answer = run_cli("--paper-sessions-abort", str(running(sessions)), cwd=REPOSITORY)
    assert (answer.returncode, "--reason" in answer.stderr) == (2, True)


def test_a_real_session_that_is_asked_to_stop_ends_itself(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "quantlab", "run", "--paper", "--prices", "synthetic", "--pace", "0.2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as session:
        root = tmp_path / "outputs" / "paper_sessions"
        deadline = time.monotonic() + 60
        while not (folders := list(root.glob("*/session_status.json"))) and time.monotonic() < deadline:
            time.sleep(0.1)
        folder = folders[0].parent
        refused = run_cli("paper-sessions", "abort", str(folder), "--reason", "drill", cwd=tmp_path)
        closed = run_cli(
            "paper-sessions", "abort", str(folder), "--reason", "drill", "--signal", cwd=tmp_path
        )
        session.wait(timeout=60)
    assert (refused.returncode, f"process {session.pid}" in refused.stderr) == (1, True)
    assert (closed.returncode, "is aborted: drill" in closed.stdout) == (0, True)
    assert (session.returncode, sorted(path.name for path in folder.glob(".*"))) == (1, [])
    told = run_cli("paper-sessions", "show", str(folder), "--format", "json", cwd=tmp_path)
    last = json.loads(told.stdout)["timeline"][-1]
    assert (last["type"], last["actor"], last["message"]) == ("aborted", "operator", "drill")


def test_a_session_without_a_folder_is_left_no_note(tmp_path: Path) -> None:
    with left(None, "why"), left(tmp_path / "gone", "why"):
        assert list(tmp_path.iterdir()) == []


ELSEWHERE = "0d6b8b1e-0000-0000-0000-000000000000:1:4026530000"


def test_a_session_of_another_container_with_this_host_s_name_is_not_taken_for_dead(
    sessions: Sessions,
) -> None:
    sessions.started(ONE, NOW, host=this_host(), pid=dead_pid(), process=ELSEWHERE)
    with pytest.raises(QuantlabError, match="or another container"):
        close(sessions, ONE)
    assert row(sessions, ONE)["status"] == "running"
    close(sessions, ONE, force=True)
    assert row(sessions, ONE)["status"] == "aborted"


def test_a_fresh_event_holds_the_closing_back_where_the_process_may_be_elsewhere(sessions: Sessions) -> None:
    earlier = ELSEWHERE.rpartition(":")[0]
    sessions.started(ONE, ago(minutes=30), host=this_host(), pid=dead_pid(), process=earlier)
    sessions.beat(ONE, ago(minutes=1))
    with pytest.raises(QuantlabError, match="Look again in 2 minutes, or say --force"):
        close(sessions, ONE)
    close(sessions, ONE, force=True)
    assert row(sessions, ONE)["status"] == "aborted"


def test_an_old_event_does_not_hold_the_closing_back(sessions: Sessions) -> None:
    earlier = ELSEWHERE.rpartition(":")[0]
    sessions.started(ONE, ago(minutes=3), host=this_host(), pid=dead_pid(), process=earlier)
    close(sessions, ONE)
    assert row(sessions, ONE)["status"] == "aborted"
