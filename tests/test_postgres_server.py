"""The tests' own PostgreSQL server: from either source, and gone with the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.both_engines import REPOSITORY, birth
from support.postgres_server import SOURCE, NoServerError, find_binaries, own_schema, start_own

from quantlab.ledger.location import locate
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store


@pytest.mark.parametrize("source", ["machine", "package"])
def test_a_server_comes_from_either_source(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SOURCE, source)
    try:
        find_binaries(source)
    except NoServerError as error:
        pytest.skip(str(error))
    server = start_own()
    try:
        with own_schema(server.url()) as url, open_store(locate(None, url)) as store:
            Recorder(store).record(birth("a"))
    finally:
        server.remove()
    assert not server.folder.exists()


def test_a_server_ends_with_the_process_that_started_it() -> None:
    script = (
        "import time; from support import postgres_server as p; s = p.start_own(); "
        "print(s._process.pid, s.folder, flush=True); time.sleep(99)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
    )
    assert process.stdout is not None
    pid, folder = process.stdout.readline().split()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run(["rm", "-rf", folder], check=True)
    assert not Path(f"/proc/{pid}").exists()
