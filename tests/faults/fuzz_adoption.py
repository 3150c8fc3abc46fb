"""Coverage-guided fuzzing of the adoption reader, by atheris: `python fuzz_adoption.py -max_total_time=60`.

Whatever the bytes of a session's files, its folder is read to facts that the ledger can hold and give back.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris
from fuzz_values import an_object, as_json

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

with atheris.instrument_imports(include=["quantlab"]):
    from quantlab.base.clock import parse_iso
    from quantlab.domain.events import decode, encode
    from quantlab.folders.adoption import read_folder
    from quantlab.folders.fields import LIFECYCLE

FILES = ("session_status.json", "session_metadata.json", "report.json")
TIMES = ("created_at", "started_at", "updated_at", "finished_at")
NAMES = (
    *sorted(LIFECYCLE),
    "machine_contract",
    "header",
    "summary",
    "config_resolved",
    "pid",
    "trades",
    "win_rate",
)
SEEDS = (
    b'{"session_id":"s1","status":"success","terminal":true,"created_at":"2024-01-01T00:00:00"}\0'
    b'{"run_id":"s1","request_id":"r","status":"running"}\0{"machine_contract":{"contract_type":"x"},"summary":{}}',
    b'{"session_id":"../x","status":1,"updated_at":"2024-01-01T00:00:00+25:00","pid":1e400,"duration_seconds":NaN}',
)
ROOT = Path(tempfile.mkdtemp())
FOLDER = ROOT / "s1"


def one_folder(data: bytes) -> None:
    """Adopt a folder whose files hold the data, parted at its NULs."""
    parts = _shaped(data[1:]) if data[:1] < b"\x80" else data.split(b"\0", 2)
    for name, part in zip(FILES, [*parts, b"", b""], strict=False):
        (FOLDER / name).write_bytes(part)
    facts = read_folder(FOLDER, ROOT)
    if facts is None:
        raise AssertionError("a folder with a session's files is a session")
    if "/" in facts.session_id or facts.session_id in ("", ".", ".."):
        raise AssertionError(f"{facts.session_id!r} is a path")
    for name in TIMES:
        if facts.fields.get(name) is not None:
            parse_iso(facts.fields[name])
    payload = encode(facts.adopted())
    if encode(decode("adopted", payload)) != payload:
        raise AssertionError("the ledger gives back something else")


def _shaped(data: bytes) -> list[bytes]:
    """Return documents whose fields are those that are looked for."""
    provider = atheris.FuzzedDataProvider(data)
    return [as_json(an_object(provider, NAMES)) for _ in FILES]


def main() -> None:
    """Fuzz with what atheris is told on the command line."""
    FOLDER.mkdir()
    corpus = Path(sys.argv[-1])
    if corpus.is_dir():
        for place, seed in enumerate(SEEDS):
            (corpus / f"seed{place}").write_bytes(seed)
    atheris.Setup(sys.argv, one_folder)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
