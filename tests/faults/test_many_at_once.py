"""Many processes, one root, one configuration, one second: every session is there and every export whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from many import Many, run_many

if TYPE_CHECKING:
    from support.fork_server import Server

PROCESSES, EACH = 4, 8


@pytest.fixture(scope="module")
def many(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Many:
    return run_many(server, tmp_path_factory.mktemp("many") / "outputs", PROCESSES, EACH)


def test_sessions_that_run_at_once_are_all_there_and_nothing_failed(many: Many) -> None:
    assert (many.faults, many.sessions) == ([], PROCESSES * EACH)


def test_exports_are_whole_at_every_read_while_sessions_end(many: Many) -> None:
    assert many.reads > PROCESSES * EACH


def test_no_append_waits_for_long(many: Many) -> None:
    assert 0 < many.p99_seconds <= many.slowest_seconds < 20
