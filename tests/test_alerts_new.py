"""`alerts --new`: told once, to a real command and a real server; again where it was not taken."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from support.asked_program import Said
from support.flow_program import running, until
from support.sessions_builder import Sessions, ago

from quantlab.base.clock import utc_now
from quantlab.cli import telling
from quantlab.cli.telling import TOLD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALERTS = ("paper-sessions", "alerts", "--new")


class Hook:
    """A server on this machine that answers with the codes of its script, then with 200, and keeps what it was sent."""

    def __init__(self) -> None:
        self.script: list[int] = []
        self.got: list[tuple[str, dict[str, str], Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append((self.path, dict(self.headers), json.loads(body)))
                code = hook.script.pop(0) if hook.script else 200
                self.send_response(code)
                if code in (302, 307):
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret-path"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setattr(telling, "WAITS", (0.0, 0.0))
    hook = Hook()
    thread = threading.Thread(target=hook.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    with Sessions(tmp_path / "root") as built:
        yield failed(built, "a")


def failed(sessions: Sessions, session_id: str) -> Sessions:
    unlike: dict[str, Any] = {"config_hash": session_id * 64, "request_id": None}
    return sessions.started(session_id, ago(hours=5), **unlike).failed(session_id, ago(hours=4))


def names(document: dict[str, Any]) -> list[str]:
    return [one["session_id"] for one in document["alerts"]]


def test_an_alert_is_told_once_and_a_new_one_alone(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (Said(capsys, *ALERTS, sessions.root).json for _ in range(2))
    assert (names(first), first["new_alerts"]) == (["a"], 1)
    assert (names(second), second["new_alerts"], second["alert_status"]) == ([], 0, "critical")
    failed(sessions, "b")
    assert names(Said(capsys, *ALERTS, sessions.root).json) == ["b"]
    assert names(Said(capsys, "paper-sessions", "alerts", sessions.root).json) == ["a", "b"]


def test_what_was_told_is_kept_by_the_place_in_the_ledger(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    Said(capsys, *ALERTS, sessions.root)
    kept = json.loads((sessions.root / TOLD).read_text())
    assert kept == {"ledger_sequence": 2, "told": [["a", "PAPER_SESSION_FAILED", 2]]}


def test_a_session_that_is_stale_again_is_told_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sessions(tmp_path) as built:
        built.started("a", utc_now() - timedelta(days=2))
        assert names(Said(capsys, *ALERTS, tmp_path).json) == ["a"]
        built.beat("a", utc_now() - timedelta(days=1))
        assert names(Said(capsys, *ALERTS, tmp_path).json) == ["a"]
        assert names(Said(capsys, *ALERTS, tmp_path).json) == []


def test_other_questions_do_not_make_it_forget(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    Said(capsys, *ALERTS, sessions.root)
    assert names(Said(capsys, *ALERTS, sessions.root, "--since", "2100-01-01").json) == []
    assert names(Said(capsys, *ALERTS, sessions.root).json) == []
    expecting = (*ALERTS, sessions.root, "--expect-every", "26h")
    assert [
        names(Said(capsys, *words).json) for words in (expecting, (*ALERTS, sessions.root), expecting)
    ] == [
        [None],
        [],
        [],
    ]


def test_two_channels_keep_apart_what_each_was_told(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for file in ("one.json", "two.json"):
        assert names(Said(capsys, *ALERTS, sessions.root, "--told", tmp_path / file).json) == ["a"]


def test_a_command_gets_it_on_its_standard_input(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = (*ALERTS, sessions.root, "--exec", f"cat >> {tmp_path}/got")
    for _ in range(2):
        assert Said(capsys, *words).code == 0
    (line,) = (tmp_path / "got").read_text().splitlines()
    document = json.loads(line)
    assert names(document) == ["a"]
    assert document["text"].splitlines() == [
        f"QuantLab, {sessions.root}: 1 new alert",
        f"critical: FAILED a: {document['alerts'][0]['message']}",
    ]


def test_a_command_that_fails_is_asked_again_by_the_next_call(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = Said(capsys, *ALERTS, sessions.root, "--exec", f"cat >> {tmp_path}/got; exit 3 # secret")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "ERROR: --exec: the command ended with 3; nothing is taken for told, and the next call tells it again.\n"
    )
    assert not (sessions.root / TOLD).exists()
    assert Said(capsys, *ALERTS, sessions.root, "--exec", f"cat >> {tmp_path}/got").code == 0
    assert len((tmp_path / "got").read_text().splitlines()) == 2


def test_a_command_that_does_not_end_is_ended(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "COMMAND_SECONDS", 0.2)
    done = Said(capsys, *ALERTS, sessions.root, "--exec", "sleep 600 | cat")
    assert done.code == 1
    assert "did not end within 0.2 s" in done.err


def test_a_command_that_reads_nothing_is_no_fault(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Said(capsys, *ALERTS, sessions.root, "--exec", "true").code == 0


def test_a_webhook_gets_it_once(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_WEBHOOK_TOKEN", "s3cret")
    said = [Said(capsys, *ALERTS, sessions.root, "--webhook", hook.url) for _ in range(2)]
    ((path, headers, document),) = hook.got
    assert (path, headers["Content-Type"], headers["Authorization"]) == (
        "/secret-path",
        "application/json",
        "Bearer s3cret",
    )
    assert names(document) == ["a"]
    assert "text" in document
    assert not any("s3cret" in one.out + one.err for one in said)


def test_the_address_may_come_from_the_environment(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTLAB_PAPER_SESSIONS_ALERTS_WEBHOOK", hook.url)
    assert Said(capsys, "paper-sessions", "alerts", sessions.root).code == 0
    assert hook.got == []
    assert Said(capsys, *ALERTS, sessions.root).code == 0
    assert len(hook.got) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], hook: Hook, code: int
) -> None:
    hook.script = [code, code]
    assert Said(capsys, *ALERTS, sessions.root, "--webhook", hook.url).code == 0
    assert len(hook.got) == 3


@pytest.mark.parametrize(("code", "times"), [(503, 3), (404, 1), (302, 1), (307, 1)])
def test_what_a_server_does_not_take_is_told_by_the_next_call(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], hook: Hook, code: int, times: int
) -> None:
    hook.script = [code] * times
    done = Said(capsys, *ALERTS, sessions.root, "--webhook", hook.url)
    assert (done.code, done.out, [path for path, _, _ in hook.got]) == (1, "", ["/secret-path"] * times)
    further = " (a redirect, which is not followed)" if code in (302, 307) else ""
    assert f"--webhook: 127.0.0.1 answered {code}{further}; nothing is taken for told" in done.err
    assert "secret-path" not in done.err
    assert Said(capsys, *ALERTS, sessions.root, "--webhook", hook.url).code == 0
    assert len(hook.got) == times + 1


def test_a_server_that_is_not_there_can_not_be_reached(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "WAITS", ())
    done = Said(capsys, *ALERTS, sessions.root, "--webhook", "http://127.0.0.1:9/secret-path")
    assert done.code == 1
    assert "127.0.0.1 can't be reached (ConnectionRefusedError)" in done.err
    assert "secret" not in done.err


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_that(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "WAITS", ())
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        done = Said(capsys, *ALERTS, sessions.root, "--webhook", url)
    assert done.code == 1
    assert "127.0.0.1 did not answer within" in done.err


def test_a_server_that_never_comes_to_an_end_is_not_waited_for_either(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "WAITS", ())
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 0.3)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            taken, _ = server.accept()
            with taken, suppress(OSError):
                taken.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.05):
                    taken.sendall(b"a")

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        done = Said(capsys, *ALERTS, sessions.root, "--webhook", url)
        over.set()
        dripping.join()
    assert done.code == 1
    assert "127.0.0.1 did not answer within" in done.err


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/",
        "https://",
        "hooks",
        "https://[x/",
        "https://u:secret@h.example/x",
    ],
)
def test_an_address_that_is_neither_https_nor_of_this_machine_is_refused(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    done = Said(capsys, *ALERTS, sessions.root, "--webhook", url)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "--webhook: " in done.err
    assert "secret" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--exec", "true"),
        ("--told", "x"),
        ("--new", "--all"),
        ("--new", "--exec", "true", "--webhook", "https://h"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    done = Said(capsys, "paper-sessions", "alerts", sessions.root, *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


def test_a_ledger_is_no_file_of_what_was_told(sessions: Sessions, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = sessions.root / "ledger.db"
    done = Said(capsys, *ALERTS, sessions.root, "--told", ledger)
    assert (done.code, f"{ledger} belongs to a database; expected another file." in done.err) == (2, True)


@pytest.mark.parametrize("held", ["{}", "[]", "", '{"ledger_sequence": 1e400, "told": []}'])
def test_a_damaged_file_is_named_and_nothing_told(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path, held: str
) -> None:
    (sessions.root / TOLD).write_text(held)
    done = Said(capsys, *ALERTS, sessions.root, "--exec", f"cat > {tmp_path}/got")
    assert done.code == 1
    assert f"{sessions.root / TOLD} is not what was told" in done.err
    assert "elete" not in done.err
    assert not (tmp_path / "got").exists()


def test_a_ledger_without_a_folder_needs_a_file(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = f"sqlite:///{sessions.root}/ledger.db"
    done = Said(capsys, *ALERTS, url)
    assert done.code == 2
    assert "expected ROOT, or --told FILE" in done.err
    assert names(Said(capsys, *ALERTS, url, "--told", tmp_path / "told.json").json) == ["a"]


def test_two_calls_at_once_tell_it_once(sessions: Sessions, tmp_path: Path) -> None:
    words = (*ALERTS, str(sessions.root), "--exec", f"sleep 0.5; cat >> {tmp_path}/got")
    with running(tmp_path, *words) as one, running(tmp_path, *words) as other:
        assert [process.wait(60) for process in (one, other)] == [0, 0]
    assert len((tmp_path / "got").read_text().splitlines()) == 1


def test_a_call_that_is_killed_before_it_has_told_tells_it_the_next_time(
    sessions: Sessions, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with running(
        tmp_path, *ALERTS, str(sessions.root), "--exec", f"touch {tmp_path}/asked; sleep 5"
    ) as process:
        until((tmp_path / "asked").exists, "the command runs")
        process.kill()
        process.wait(60)
    assert names(Said(capsys, *ALERTS, sessions.root).json) == ["a"]
