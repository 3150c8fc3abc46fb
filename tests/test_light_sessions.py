"""What a session does no more than it has to: draw, make documents, flush."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.flow_program import PAPER, SYNTHETIC, ran, said, session_of

from quantlab.domain import documents
from quantlab.domain.config import RunConfig
from quantlab.ledger.location import locate
from quantlab.ledger.log import read_events
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store
from quantlab.runner.stopping import StopGate
from quantlab.sessions.paper import PaperSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.domain.events import Recorded

CHART = "artifacts/equity.png"


@pytest.fixture(scope="module")
def uncharted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uncharted")
    assert said(folder, *PAPER, "--no-charts").code == 0
    return folder


def test_without_charts_everything_else_is_there(uncharted: Path) -> None:
    folder = session_of(uncharted)
    assert not (folder / CHART).exists()
    assert all((folder / name).exists() for name in ("report.json", "run_report.md", "artifacts/equity.csv"))
    names = [one["file_name"] for one in json.loads((folder / "report.json").read_bytes())["artifacts"]]
    assert CHART not in names


def test_charts_change_no_configuration_and_no_page(uncharted: Path, tmp_path: Path) -> None:
    assert said(tmp_path, *PAPER).code == 0
    with_charts, without = session_of(tmp_path), session_of(uncharted)
    for one in (with_charts, without):
        assert "no-charts" not in (one / "report.json").read_text()
    assert (with_charts / "config.json").read_bytes() == (without / "config.json").read_bytes()


def test_a_later_report_draws_the_charts(uncharted: Path) -> None:
    folder = session_of(uncharted)
    page = (folder / "run_report.md").read_bytes()
    assert said(uncharted, "--report", str(folder)).code == 0
    assert (folder / CHART).read_bytes().startswith(b"\x89PNG")
    assert (folder / "run_report.md").read_bytes() == page
    found = json.loads(said(uncharted, "paper-sessions", "index", "--format", "json").out)
    assert found["amended"] == []


def test_a_run_without_charts_gets_them_by_a_later_report(tmp_path: Path) -> None:
    assert said(tmp_path, *SYNTHETIC, "--no-charts").code == 0
    (chart,) = [one / CHART for one in (tmp_path / "outputs/runs").iterdir() if one.is_dir()]
    assert not chart.exists()
    assert said(tmp_path, "--report", str(chart.parent.parent)).code == 0
    assert chart.exists()


def test_a_price_plot_without_charts_is_refused(tmp_path: Path) -> None:
    refused = said(tmp_path, *PAPER, "--no-charts", "--save-price-plot")
    assert (refused.code, "exclude each other" in refused.error) == (2, True)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that nobody can write")
def test_a_home_that_cannot_be_written_is_no_warning(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), "/proc/nowhere")
    done = ran(tmp_path, *PAPER, **nowhere)
    assert (done.code, done.err) == (0, "")
    assert (session_of(tmp_path) / CHART).exists()


class Watch:
    """A session whose clock for writing stands still until it is told to go on."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 1_000.0
        monkeypatch.setattr("quantlab.sessions.paper.time.monotonic", lambda: self.at)
        self.folder = root / "20260101_000000_paper_0123456789ab"
        (self.folder / "artifacts").mkdir(parents=True)
        self.store = open_store(locate(root, None))
        self.session = PaperSession(
            recorder=Recorder(self.store),
            folder=self.folder,
            gate=StopGate(),
            heartbeat_seconds=30.0,
            watch=lambda *_: None,
        )
        self.session.start(RunConfig(paper=True), request_id=None, reproduce="quantlab run")

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self.folder / "session_status.json").read_bytes())
        return status

    def recorded(self) -> list[Recorded]:
        with self.store.read() as connection:
            return read_events(connection, self.folder.name)


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    made = Watch(tmp_path / "paper_sessions", monkeypatch)
    yield made
    made.store.close()


def test_a_heartbeat_makes_the_status_document_alone(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "of_session", pytest.fail)
    watch.at += 5
    watch.session.reach("simulating", done=7, expected=9)
    assert watch.status()["bars_done"] == 7


def test_the_status_document_is_that_which_the_events_make(watch: Watch) -> None:
    watch.at += 5
    watch.session.reach("simulating", done=7, expected=9)
    made = documents.documents(watch.recorded())["session_status.json"]
    assert (watch.folder / "session_status.json").read_bytes() == made


def test_a_heartbeat_flushes_no_file(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    watch.at += 5
    monkeypatch.setattr(os, "fsync", pytest.fail)
    watch.session.reach("simulating", done=7, expected=9)
    assert watch.status()["bars_done"] == 7


def test_the_status_document_is_written_at_most_once_a_second(watch: Watch) -> None:
    watch.at += 0.9
    watch.session.reach("prices_loaded", done=0, expected=9)
    assert watch.status()["stage"] == "started"


def test_what_was_held_back_is_written_by_the_next_bars(watch: Watch) -> None:
    watch.at += 0.9
    watch.session.reach("prices_loaded", done=0, expected=9)
    watch.at += 0.1
    watch.session.progress(done=3, expected=9)
    assert watch.status()["stage"] == "prices_loaded"


def test_what_was_held_back_is_in_the_documents_of_the_end(watch: Watch) -> None:
    watch.session.reach("prices_loaded", done=0, expected=9, data={"source": "yahoo", "hash": "d" * 64})
    watch.session.fail(ValueError("no"))
    assert watch.status()["status"] == "failed"
    metadata = json.loads((watch.folder / "session_metadata.json").read_bytes())
    assert metadata["data"]["source"] == "yahoo"


def test_a_session_that_is_stopped_tells_how_far_it_came(watch: Watch) -> None:
    watch.session.progress(done=43, expected=730)
    watch.session.abort("SIGINT")
    status = watch.status()
    assert (status["status"], status["bars_done"], status["bars_expected"]) == ("aborted", 43, 730)
    assert [one.type for one in watch.recorded()] == ["started", "heartbeat", "aborted"]


def test_a_session_that_is_stopped_at_a_heartbeat_beats_no_second_time(watch: Watch) -> None:
    watch.session.reach("simulated", done=730, expected=730)
    watch.session.abort("SIGINT")
    assert [one.type for one in watch.recorded()] == ["started", "heartbeat", "aborted"]
