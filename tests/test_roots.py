"""Opening a root, whatever it is like."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.legacy_root import legacy_id, make_legacy_root
from support.permissions import folder_of_ones_own, permissions_bind
from support.root_files import ONE, REPOSITORY, finished
from support.sessions_builder import NOW, Sessions

from quantlab.base.errors import ConfigError, LedgerError
from quantlab.folders import roots
from quantlab.folders.roots import adopt_root, open_root, open_root_store
from quantlab.ledger.location import Location, locate
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

COUNT = "SELECT count(*) AS n FROM paper_sessions"


def sessions_in(location: Location) -> int:
    with open_root(location, now=NOW) as reader:
        found: int = reader.rows(COUNT)[0]["n"]
    return found


def test_a_root_without_a_ledger_is_adopted_on_first_use(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 4)
    assert sessions_in(locate(tmp_path, None)) == 4
    assert (tmp_path / "ledger.db").is_file()


def test_an_adopted_root_holds_nothing_but_its_ledger_more(tmp_path: Path) -> None:
    ids = make_legacy_root(tmp_path, 4)
    sessions_in(locate(tmp_path, None))
    assert {path.name for path in tmp_path.iterdir()} == {*ids, "ledger.db", "ledger.db.lock"}


def test_a_root_with_a_ledger_is_only_opened(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        finished(sessions)
    make_legacy_root(tmp_path, 1)
    assert sessions_in(locate(tmp_path, None)) == 1


def test_a_folder_without_sessions_is_left_as_it_is(tmp_path: Path) -> None:
    with open_root(locate(tmp_path, None), now=NOW) as reader:
        assert (reader.rows(COUNT), reader.in_memory) == ([{"n": 0}], False)
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_root_is_adopted_into_memory() -> None:
    with folder_of_ones_own() as root:
        make_legacy_root(root, 4)
        root.chmod(0o555)
        with permissions_bind(), open_root(locate(root, None), now=NOW) as reader:
            assert (reader.rows(COUNT), reader.in_memory) == ([{"n": 4}], True)
        assert not (root / "ledger.db").exists()


def test_a_read_only_root_answers_from_the_same_views() -> None:
    with folder_of_ones_own() as root:
        make_legacy_root(root, 6)
        root.chmod(0o555)
        with permissions_bind(), open_root(locate(root, None), now=NOW) as reader:
            (health,) = reader.rows("SELECT success, failed, running FROM session_health")
    assert health == {"success": 3, "failed": 1, "running": 1}


def test_a_read_only_root_can_make_no_ledger() -> None:
    with folder_of_ones_own() as root:
        make_legacy_root(root, 1)
        root.chmod(0o555)
        with permissions_bind():
            assert adopt_root(locate(root, None), now=NOW) is None


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"There is no folder .*nowhere; expected a folder of paper sessions"
    ):
        open_root(locate(tmp_path / "nowhere", None), now=NOW)


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; expected a folder"):
        open_root_store(locate(tmp_path / "file", None), now=NOW)


def test_a_root_that_may_not_be_listed_is_named() -> None:
    with folder_of_ones_own() as root:
        root.chmod(0o333)
        with permissions_bind(), pytest.raises(ConfigError, match="can't be listed"):
            open_root(locate(root, None), now=NOW)


def test_a_ledger_beside_a_folder_that_is_gone_cannot_be_made(tmp_path: Path) -> None:
    make_legacy_root(tmp_path / "root", 1)
    location = locate(tmp_path / "root", f"sqlite:///{tmp_path}/nowhere/ledger.db")
    with pytest.raises(LedgerError, match="can't be made"):
        open_root(location, now=NOW)


def test_a_shared_ledger_alone_needs_no_root(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        finished(sessions)
    assert sessions_in(locate(None, f"sqlite:///{tmp_path}/ledger.db")) == 1


def test_a_root_that_was_moved_works(tmp_path: Path) -> None:
    make_legacy_root(tmp_path / "old", 4)
    sessions_in(locate(tmp_path / "old", None))
    (tmp_path / "old").rename(tmp_path / "new")
    assert sessions_in(locate(tmp_path / "new", None)) == 4


def test_a_root_that_was_copied_works(tmp_path: Path) -> None:
    make_legacy_root(tmp_path / "old", 4)
    sessions_in(locate(tmp_path / "old", None))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    assert sessions_in(locate(tmp_path / "new", None)) == 4


def test_a_look_that_an_adoption_sweeps_away_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.db"
    real = os.close

    def close_and_sweep(handle: int) -> None:
        real(handle)
        roots._remove_leftovers(file)

    monkeypatch.setattr(os, "close", close_and_sweep)
    assert roots._is_writable(file)


def test_first_uses_at_once_adopt_each_folder_once(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 60)
    code = (
        "import sys; from pathlib import Path; from quantlab.base.clock import utc_now\n"
        "from quantlab.folders.roots import open_root; from quantlab.ledger.location import locate\n"
        "reader = open_root(locate(Path(sys.argv[1]), None), now=utc_now())\n"
        f"print(reader.rows({COUNT!r})[0]['n'])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    answers = [process.communicate()[0].strip() for process in running]
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        (events,) = connection.execute("SELECT count(*) FROM events").fetchone()
    connection.close()
    assert (answers, events) == (["60"] * 4, 60)


def test_what_a_ledger_lacks_that_was_made_meanwhile_is_adopted_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_legacy_root(tmp_path, 4)
    put = roots._put_in_place

    def too_late(aside: Path, file: Path) -> bool:
        open_store(locate(tmp_path, None)).close()
        return put(aside, file)

    monkeypatch.setattr(roots, "_put_in_place", too_late)
    assert sessions_in(locate(tmp_path, None)) == 4


def test_a_ledger_gets_its_place_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_legacy_root(tmp_path, 4)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    aside = tmp_path / "aside"
    aside.touch()
    assert roots._put_in_place(aside, tmp_path / "ledger.db")
    aside.touch()
    assert not roots._put_in_place(aside, tmp_path / "ledger.db")


def test_what_a_killed_adoption_left_is_removed_by_the_next(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 1)
    leftover = tmp_path / ".ledger.db.adopting.1.abcd"
    leftover.write_text("half")
    sessions_in(locate(tmp_path, None))
    assert not leftover.exists()


def test_an_adoption_that_fails_leaves_no_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_legacy_root(tmp_path, 2)

    def fail(*_: object) -> bool:
        raise LedgerError("no")

    monkeypatch.setattr(roots, "_put_in_place", fail)
    with pytest.raises(LedgerError):
        sessions_in(locate(tmp_path, None))
    assert [path.name for path in tmp_path.glob("*ledger*")] == ["ledger.db.lock"]


def test_a_root_opened_for_writing_is_adopted_first(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 4)
    with open_root_store(locate(tmp_path, None), now=NOW) as store, store.read() as connection:
        assert connection.exec_driver_sql(COUNT).scalar() == 4


def test_without_a_lock_the_leftovers_of_others_stay_and_the_root_is_adopted(tmp_path: Path) -> None:
    """A folder stands where the lock would be: nobody can tell then who is still adopting."""
    make_legacy_root(tmp_path, 2)
    (tmp_path / "ledger.db.lock").mkdir()
    (tmp_path / ".ledger.db.adopting.1.abcd").write_text("half")
    assert sessions_in(locate(tmp_path, None)) == 2
    assert (tmp_path / ".ledger.db.adopting.1.abcd").exists()


def test_a_shared_ledger_alone_is_opened_for_writing_without_a_root(tmp_path: Path) -> None:
    Sessions(tmp_path).store.close()
    location = locate(None, f"sqlite:///{tmp_path}/ledger.db")
    with open_root_store(location, now=NOW) as store, store.read() as connection:
        assert (store.location.root, connection.exec_driver_sql(COUNT).scalar()) == (None, 0)


def test_a_root_opened_for_writing_has_its_files_healed(tmp_path: Path) -> None:
    with Sessions(tmp_path) as sessions:
        finished(sessions)
        sessions.store.close()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("INSERT INTO pending_files VALUES (?)", (ONE,))
    connection.close()
    (tmp_path / ONE / "report.json").unlink()
    open_root_store(locate(tmp_path, None), now=NOW).close()
    assert (tmp_path / ONE / "report.json").exists()


def test_a_store_whose_healing_fails_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LedgerError("no")

    monkeypatch.setattr("quantlab.folders.healing.heal", fail)
    with pytest.raises(LedgerError):
        open_root_store(locate(tmp_path, None), now=NOW)


def test_a_root_with_a_ledger_is_opened_without_sqlalchemy(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 1)
    sessions_in(locate(tmp_path, None))
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from quantlab.folders.roots import open_root; from quantlab.ledger.location import locate\n"
        "open_root(locate(Path(sys.argv[1]), None), now=datetime.now(UTC)).close()\n"
        "print([name for name in ('sqlalchemy', 'msgspec', 'pandas', 'alembic') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_adopting_a_root_says_what_was_adopted(tmp_path: Path) -> None:
    make_legacy_root(tmp_path, 1)
    outcome = adopt_root(locate(tmp_path, None), now=NOW)
    assert outcome is not None
    assert outcome.adopted == [legacy_id(0)]


def test_a_root_with_a_ledger_has_nothing_to_adopt(tmp_path: Path) -> None:
    Sessions(tmp_path).store.close()
    assert adopt_root(locate(tmp_path, None), now=NOW) is None


def test_a_warning_of_a_name_that_is_not_in_utf_8_is_text_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / os.fsdecode(b"\xff")).mkdir()
    (tmp_path / os.fsdecode(b"\xff") / "session_status.json").write_text("{}")
    open_root(locate(tmp_path, None), now=NOW).close()
    (message,) = caplog.messages
    assert message.encode().startswith(f"{tmp_path}/\\udcff: ".encode())
