"""Passwords are neither printed nor stored, and files are made as the umask says."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from support.tame import assert_done_tame

if TYPE_CHECKING:
    from pathlib import Path

    from support.fork_server import Server


@pytest.mark.parametrize(
    ("umask", "file_mode", "folder_mode"),
    [(0o022, 0o644, 0o755), (0o077, 0o600, 0o700), (0o002, 0o664, 0o775)],
)
def test_files_are_made_as_the_umask_says_and_never_executable(
    server: Server, tmp_path: Path, umask: int, file_mode: int, folder_mode: int
) -> None:
    done = server.run(
        "--paper", "--prices", "synthetic", "--outdir", str(tmp_path / "outputs"),
        "--signal-file", str(tmp_path / "outputs" / "logs" / "signals.jsonl"), umask=umask,
    )  # fmt: skip
    assert done.code == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "outputs").rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {file_mode}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {folder_mode}


SECRET = "s3cr3t-P4ss"
SECRET_URLS = (
    f"postgresql://user:{SECRET}@127.0.0.1:1/none",
    f"postgresql+psycopg://127.0.0.1:1/none?user=u&password={SECRET}",
    f"postgresql://user:{SECRET}%40x@127.0.0.1:1/none?connect_timeout=1",
    f"mysql://user:{SECRET}@host/none",
    f"postgresql://user:{SECRET}@host:notaport/none",
    f"postgresql://user:pa:ss@{SECRET}@127.0.0.1:1/none",
    f"sqlite://user:{SECRET}@host/x",
    f"host=127.0.0.1 port=1 user=u password={SECRET}",
    f"password='a {SECRET}' host=127.0.0.1",
    f"postgresql://u@127.0.0.1:1/none?connect_timeout=1;password={SECRET}",
    f"postgresql://u@127.0.0.1:1/none?passwd={SECRET}",
    f"postgresql://u@127.0.0.1:1/none?pass%77ord={SECRET}",
    f"postgresql://127.0.0.1:1/none?options=-c%20password={SECRET}",
    f"postgresql://127.0.0.1:1/none#password={SECRET}",
    f"postgresql://u:new\n{SECRET}@127.0.0.1:1/none",
    f"postgresql://u:with blanks {SECRET}@127.0.0.1:1/none",
    f"postgresql://u:'{SECRET}'@127.0.0.1:1/none",
    f"postgresql://u;{SECRET}@127.0.0.1:1/none",
    f"postgresql://u:5432/{SECRET}@127.0.0.1:1/none",
    f"postgresql://u:{SECRET}",
    f"postgresql:/u:{SECRET}@127.0.0.1:1/none",
    f"postgresql:u:{SECRET}@127.0.0.1:1/none",
    f"POSTGRES://u:{SECRET}@host/none",
    f"jdbc:postgresql://host/none?user=u&password={SECRET}",
    f"u:{SECRET}@127.0.0.1:1/none",
)
ELSEWHERE = (
    ["run", "--outdir", "URL"],
    ["run", "--prices", "synthetic", "--signal-file", "URL"],
    ["run", "--prices", "URL"],
    ["run", "--ticker", "URL"],
    ["--report", "URL"],
    ["runs", "list", "URL"],
    ["runs", "show", "URL"],
    ["paper-sessions", "index", "URL"],
    ["paper-sessions", "abort", "URL", "--reason", "x"],
    ["ledger", "import", "URL"],
    ["ledger", "head", "URL"],
    ["URL"],
)


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize(
    "words",
    [["--paper", "--prices", "synthetic"], ["paper-sessions", "list"], ["ledger", "verify"]],
    ids=lambda words: words[-1],
)
def test_a_password_in_a_ledger_s_url_is_never_printed_or_stored(
    server: Server, tmp_path: Path, url: str, words: list[str]
) -> None:
    given_by = ["--ledger", url, "--outdir", "outputs"] if words[0] == "--paper" else [url]
    done = server.run(*words, *given_by, cwd=tmp_path)
    assert_done_tame(done)
    assert done.code in (1, 2)
    assert SECRET not in done.out + done.err
    _assert_nowhere(tmp_path)


@pytest.mark.parametrize("words", ELSEWHERE, ids=lambda words: "-".join(words).strip("-"))
def test_a_ledger_s_url_in_a_wrong_place_is_refused_without_its_password(
    server: Server, tmp_path: Path, words: list[str]
) -> None:
    for url in SECRET_URLS[::3]:
        done = server.run(*(url if word == "URL" else word for word in words), cwd=tmp_path)
        assert_done_tame(done)
        assert (done.code in (1, 2, 3), SECRET in done.out + done.err) == (True, False), (url, done.err)
    assert [path for path in tmp_path.rglob("*") if SECRET in str(path)] == []


def test_a_password_in_a_url_of_a_sqlite_ledger_is_refused_unshown(server: Server, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db?password={SECRET}"
    done = server.run(
        "--paper", "--prices", "synthetic", "--ledger", url, "--outdir", "outputs", cwd=tmp_path
    )
    assert (done.code, SECRET in done.out + done.err) == (2, False)
    assert "takes none" in done.err
    _assert_nowhere(tmp_path)


def _assert_nowhere(folder: Path) -> None:
    held = [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert held == []
