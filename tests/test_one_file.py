"""A new type of event with a column of its own takes one file and a migration; everything else is made from these."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.both_engines import birth, end, plain_client

from quantlab.ledger.recorder import Recorder
from quantlab.ledger.revision import HEAD_REVISION
from quantlab.ledger.store import open_store

if TYPE_CHECKING:
    from quantlab.ledger.location import Location

REPOSITORY = Path(__file__).resolve().parents[1]
NEXT = f"{int(HEAD_REVISION) + 1:04}"
COLUMN = """
    reviewed_by: str | None = column("text", "who looked at it last", default=None, export=99)
"""
EVENT = '''

class Reviewed(Event, frozen=True, kw_only=True):
    """A person looked at the session. Then there was tea."""

    name: ClassVar[str] = "reviewed"
    kind: ClassVar[Kind] = Kind.ANNOTATION
    line: ClassVar[tuple[str, ...]] = ("by", "words")

    by: str
    words: str

    def apply(self, session: Session, at: str) -> Session:
        """Return the session with who looked at it."""
        return replace(session, reviewed_by=self.by)
'''
MIGRATION = f"""
revision = "{NEXT}"
down_revision = "{HEAD_REVISION}"


def upgrade() -> None:
    pass
"""
PROGRAM = """
import json, sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
sys.path.append(sys.argv[2])
from support import made_tables
from support.both_engines import entry
from quantlab.domain.events.notes import Reviewed
from quantlab.exports import index
from quantlab.ledger import maintenance
from quantlab.ledger.location import locate
from quantlab.ledger.reader import open_reader
from quantlab.ledger.recorder import Recorder
from quantlab.ledger.store import open_store
from quantlab.queries.detail import session

root = Path(sys.argv[3])
location = locate(root, sys.stdin.read().strip() or None)
with open_store(location) as store:
    recorded, row = Recorder(store).record(entry("a", 3, Reviewed(by="Ana", words="looks fine")))
    rebuilt = maintenance.rebuild(store)
    faults = [fault.what for fault in maintenance.verify(store).faults]
    index.write(store, root)
with open_reader(location) as reader:
    shown = session(reader, "a")
csv = (root / index.CSV).read_text().splitlines()
print(json.dumps({
    "kept": row.reviewed_by, "rebuilt": rebuilt, "faults": faults,
    "shown": shown["reviewed_by"], "told": shown["timeline"][-1]["message"],
    "csv": "reviewed_by" in csv[0], "columns": made_tables.columns(), "events": made_tables.events(),
}))
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """A copy of the program in which one file was touched, and a migration was added."""
    copy = tmp_path / "later"
    for name in ("quantlab", "migrations"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    notes = copy / "quantlab" / "domain" / "events" / "notes.py"
    text = notes.read_text(encoding="utf-8")
    head = '"""What `Proved` brings."""\n'
    assert head in text
    notes.write_text(text.replace(head, head + COLUMN) + EVENT, encoding="utf-8")
    (copy / "migrations" / "versions" / f"{NEXT}_reviewed.py").write_text(MIGRATION, encoding="utf-8")
    return copy


def told(later: Path, root: Path, location: Location) -> dict[str, Any]:
    """Upgrade the ledger with the later program, record the new event, and say what became of it."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(later), str(REPOSITORY / "tests"), str(root)],
        input=location.url or "",
        capture_output=True,
        text=True,
        check=False,
        cwd=later,
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_an_event_and_a_column_in_one_file_are_taken_everywhere(
    later: Path, tmp_path: Path, any_location: Location
) -> None:
    root = tmp_path if any_location.root is None else any_location.root
    with open_store(any_location) as store:
        recorder = Recorder(store)
        recorder.record(birth("a"))
        recorder.record(end("a", 2))
    answer = told(later, root, any_location)
    assert (answer["kept"], answer["shown"], answer["told"]) == ("Ana", "Ana", "Ana: looks fine")
    assert (answer["rebuilt"], answer["faults"], answer["csv"]) == (1, [], True)
    assert "| `reviewed_by` | who looked at it last |" in answer["columns"]
    assert "| `reviewed` | annotation | A person looked at the session. |" in answer["events"]
    assert plain_client(any_location, "SELECT version_num FROM alembic_version") == [(NEXT,)]
    assert plain_client(any_location, "SELECT reviewed_by FROM paper_sessions") == [("Ana",)]
