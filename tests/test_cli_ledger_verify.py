"""`ledger verify`: what it says of a ledger alone, and against each thing that was kept of it."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from support.ledger_commands import Say, append, cut, filled_root, signing_key
from support.ledger_history import fill, forge, stored
from support.permissions import folder_of_ones_own, permissions_bind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return filled_root(tmp_path)


@pytest.fixture
def root(file: Path) -> str:
    return str(file.parent)


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return signing_key(tmp_path)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    return Say(capsys)


def test_verify_exits_0_when_all_holds(root: str, say: Say) -> None:
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (0, f"{root}/ledger.db: all holds.")


def test_verify_exits_1_and_names_the_first_bad_sequence(root: str, file: Path, say: Say) -> None:
    forge(file, "UPDATE events SET actor = 'operator' WHERE sequence = 4")
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (1, f"{file}: does not hold; the first bad sequence is 4.")
    assert re.search(r"^FAULT chain", out, re.MULTILINE)


def test_verify_says_no_sequence_where_none_is_bad(root: str, file: Path, say: Say) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("DROP TRIGGER events_guard_update")
    code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1]) == (1, f"{file}: does not hold.")


def test_verify_answers_machines_in_json(root: str, say: Say) -> None:
    code, out, _ = say("verify", root, "--format", "json")
    assert (code, json.loads(out)["holds"]) == (0, True)


def test_verify_with_a_key_and_nothing_signed_is_bad_usage(root: str, key: Path, say: Say) -> None:
    assert say("verify", root, "--sign-key", key)[0] == 2


def _witnesses(root: str, file: Path, folder: Path, say: Say, key: Path) -> dict[str, str]:
    ((digest,),) = stored(file, "SELECT hash FROM ledger_head")
    index = {"ledger_sequence": 10, "ledger_hash": digest}
    kept = {
        "head.txt": say("head", root)[1],
        "head.json": say("head", root, "--format", "json")[1],
        "signed.json": say("head", root, "--format", "json", "--sign-key", key)[1],
        "index.json": json.dumps({"n_sessions": 3, **index, "sessions": []}),
        "index.csv": f"session_id,ledger_sequence,ledger_hash\ns1,10,{digest}\n",
    }
    for name, text in kept.items():
        (folder / name).write_text(text)
    say("export", root, "--output", folder / "ledger.jsonl")
    return {**{name: str(folder / name) for name in (*kept, "ledger.jsonl")}, "pair": f"10:{digest}"}


WITNESSES = ["head.txt", "head.json", "signed.json", "index.json", "index.csv", "ledger.jsonl", "pair"]


@pytest.mark.parametrize("witness", WITNESSES)
def test_a_ledger_that_went_on_holds_against_what_was_kept(
    witness: str, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    append(file)
    assert say("verify", root, "--against", kept)[0] == 0


@pytest.mark.parametrize("witness", WITNESSES)
def test_a_cut_tail_does_not_hold_against_what_was_kept(
    witness: str, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    cut(file)
    say("rebuild", root)
    assert say("verify", root)[0] == 0
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "the first bad sequence is 9" in out) == (1, True)


def test_an_exported_ledger_names_the_very_event_that_was_rewritten(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["ledger.jsonl"]
    forge(file, "UPDATE events SET hash = '" + "0" * 64 + "' WHERE sequence = 7")
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "FAULT against: sequence 7: not what" in out) == (1, True)


def test_an_exported_ledger_that_is_damaged_itself_is_told(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["ledger.jsonl"]
    lines = (tmp_path / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "ledger.jsonl").write_bytes(b"".join([*lines[:4], *lines[5:]]))
    code, out, _ = say("verify", root, "--against", kept)
    assert (code, "does not follow from the line before it" in out) == (1, True)


@pytest.mark.parametrize(
    ("witness", "code"), [("signed.json", 0), ("head.json", 1), ("head.txt", 1), ("pair", 1)]
)
def test_with_a_key_only_a_signed_head_will_do(
    witness: str, code: int, root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)[witness]
    assert say("verify", root, "--against", kept, "--sign-key", key)[0] == code


def test_a_head_signed_with_another_key_does_not_hold(
    root: str, file: Path, tmp_path: Path, say: Say, key: Path
) -> None:
    kept = _witnesses(root, file, tmp_path, say, key)["signed.json"]
    key.write_bytes(b"x" * 40)
    code, out, _ = say("verify", root, "--against", kept, "--sign-key", key)
    assert (code, "signed with another key" in out) == (1, True)


def test_another_ledger_s_head_is_told(root: str, tmp_path: Path, say: Say) -> None:
    other = tmp_path / "other"
    other.mkdir()
    fill(other)
    (tmp_path / "head.json").write_text(say("head", other, "--format", "json")[1])
    code, out, _ = say("verify", root, "--against", tmp_path / "head.json")
    assert (code, "is of ledger" in out) == (1, True)


@pytest.mark.parametrize("content", [None, "", "{}", "[1]", "nothing", '{"hash": 1}'])
def test_what_holds_no_head_is_bad_usage(content: str | None, root: str, tmp_path: Path, say: Say) -> None:
    if content is not None:
        (tmp_path / "kept.json").write_text(content)
    code, _, err = say("verify", root, "--against", tmp_path / "kept.json")
    assert (code, "expected SEQUENCE:HASH" in err) == (2, True)


def test_an_index_without_rows_holds_no_head(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "index.csv").write_text("session_id,ledger_sequence,ledger_hash\n")
    assert say("verify", root, "--against", tmp_path / "index.csv")[0] == 2


@contextmanager
def locked_away(root: Path) -> Iterator[None]:
    """Go on as a user who may read the root and not write it."""
    root.chmod(0o555)
    with permissions_bind():
        yield
    root.chmod(0o755)


@pytest.mark.parametrize("words", [("verify",), ("head",), ("export",)])
def test_a_root_that_cannot_be_written_is_verified_and_read_all_the_same(words: tuple[str], say: Say) -> None:
    with folder_of_ones_own() as root:
        fill(root)
        expected = say(*words, root)
        with locked_away(root):
            assert (expected[0], say(*words, root)) == (0, expected)


def test_a_fault_in_a_root_that_cannot_be_written_is_found(say: Say) -> None:
    with folder_of_ones_own() as root:
        forge(fill(root), "UPDATE events SET actor = 'operator' WHERE sequence = 4")
        with locked_away(root):
            code, out, _ = say("verify", root)
    assert (code, out.splitlines()[-1].partition(": ")[2]) == (
        1,
        "does not hold; the first bad sequence is 4.",
    )


def test_a_rebuild_of_a_root_that_cannot_be_written_is_refused(say: Say) -> None:
    with folder_of_ones_own() as root:
        fill(root)
        with locked_away(root):
            code, _, err = say("rebuild", root)
    assert code == 1
    assert "check that its folder exists and the permissions of both" in err


def test_verify_looks_at_every_session_however_many_rows_are_wrong(root: str, file: Path, say: Say) -> None:
    forge(
        file,
        "UPDATE paper_sessions SET ticker = 'other' WHERE session_id = 's1'",
        "UPDATE events SET type = 'started' WHERE session_id = 's3' AND session_version = 2",
    )
    _, out, _ = say("verify", root)
    assert {line.split()[1].rstrip(":") for line in out.splitlines() if line.startswith("FAULT ")} >= {
        "sessions",
        "projection",
    }
    assert "3 sessions of 10 events" in out


def test_what_stands_in_a_ledger_is_shown_and_not_obeyed(root: str, file: Path, say: Say) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute('CREATE VIEW "\x1b[31mred\x07" AS SELECT 1')
    code, out, _ = say("verify", root)
    assert (code, "\\x1b[31mred\\x07 is none of ours" in out, "\x1b" in out) == (1, True, False)


def test_a_rebuild_over_an_event_that_cannot_be_is_refused(root: str, file: Path, say: Say) -> None:
    forge(file, "UPDATE events SET payload = '{\"stage\": 7}' WHERE sequence = 2")
    before = stored(file, "SELECT * FROM paper_sessions")
    code, _, err = say("rebuild", root)
    assert (code, "can't be folded" in err, "ledger verify" in err) == (1, True, True)
    assert stored(file, "SELECT * FROM paper_sessions") == before


def test_a_kept_head_whose_signature_is_no_text_is_refused(root: str, tmp_path: Path, say: Say) -> None:
    kept = json.loads(say("head", root, "--format", "json")[1])
    (tmp_path / "head.json").write_text(json.dumps({**kept, "signature": 7}))
    code, _, err = say("verify", root, "--against", tmp_path / "head.json")
    assert (code, "its signature is no text" in err) == (2, True)


def test_a_url_and_another_ledger_are_one_too_many(root: str, file: Path, say: Say) -> None:
    code, _, err = say("verify", f"sqlite:///{file}", "--ledger", f"sqlite:///{file}")
    assert (code, "expected one of them" in err) == (2, True)


def test_an_index_that_is_gone_is_found_and_made_again_by_a_rebuild(root: str, file: Path, say: Say) -> None:
    with closing(sqlite3.connect(file)) as client, client:
        client.execute("DROP INDEX events_one_end")
    code, out, _ = say("verify", root)
    assert (code, "FAULT guards: the index events_one_end is missing" in out) == (1, True)
    assert [say("rebuild", root)[0], say("verify", root)[0]] == [0, 0]


NO_HEADS = {
    "huge.csv": "session_id,ledger_sequence,ledger_hash\n" + "x" * 200_000 + ",1,0\n",
    "nested.json": '{"a": ' + "[" * 100_000,
    "nested.jsonl": '{"format": "quantlab-ledger", "x": ' + "[" * 100_000,
    "large.json": '{"sequence": 99999999999999999999, "hash": "0"}',
    "infinite.json": '{"sequence": 1e999, "hash": "0"}',
}


@pytest.mark.parametrize("name", NO_HEADS)
def test_what_can_be_no_head_is_one_line(name: str, root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / name).write_text(NO_HEADS[name])
    code, _, err = say("verify", root, "--against", tmp_path / name)
    assert (code, err.count("\n"), "expected" in err, "defect" in err) == (2, 1, True, False)


def test_a_sequence_that_no_ledger_reaches_is_bad_usage(root: str, say: Say) -> None:
    code, _, err = say("verify", root, "--against", "99999999999999999999:" + "0" * 64)
    assert (code, "its sequence is not between 0 and 9223372036854775807" in err) == (2, True)


def test_a_markdown_index_is_told_to_hold_no_head(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "paper_sessions_index.md").write_text("# Paper sessions\n")
    code, _, err = say("verify", root, "--against", tmp_path / "paper_sessions_index.md")
    assert (code, "a Markdown index holds no head; name the .csv or .json beside it." in err) == (2, True)


def test_what_a_kept_head_lacks_is_named(root: str, tmp_path: Path, say: Say) -> None:
    (tmp_path / "head.json").write_text('{"hash": "0"}')
    assert "it names no 'sequence'" in say("verify", root, "--against", tmp_path / "head.json")[2]
