"""A session that was begun like another says so wherever it is shown, and in what it is another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from support.flow_program import SYNTHETIC, said, session_of

from quantlab.domain.config import RunConfig
from quantlab.domain.lineage import changes, told

if TYPE_CHECKING:
    from pathlib import Path

LIKE = {"id": "20260101_000000_run_0123456789ab", "result_digest": "abcdef0123456789"}
OWN = RunConfig(
    strategy="mine",
    strategy_params={"fast": 10, "fee": 1.0},
    strategy_digest="a" * 64,
    rsi_buy_max=None,
    rsi_sell_min=None,
)


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        (RunConfig(paper=True), RunConfig(), {}),
        (RunConfig(fee=0.001, end="2024-06-01"), RunConfig(), {"end": "2024-01-01", "fee": 0.002}),
        (RunConfig(rsi_buy_max=50.0), RunConfig(), {"rsi_buy_max": 60.0}),
        (replace(OWN, strategy_params={"fast": 12, "fee": 1.0}), OWN, {"fast": 10}),
        (replace(OWN, strategy_params={"fast": 10, "fee": 2.0}), OWN, {"strategy_params.fee": 1.0}),
        (replace(OWN, strategy_params={"fast": 10, "fee": 1.0, "slow": 9}), OWN, {"slow": None}),
    ],
)
def test_what_is_another_is_named_with_its_value_there(
    now: RunConfig, then: RunConfig, expected: dict[str, Any]
) -> None:
    assert changes(then, now) == expected


@pytest.mark.parametrize(
    ("changed", "end"),
    [
        (None, "whose result was abcdef012345…"),
        ({}, "; the same rules, and nothing else is another"),
        ({"start": "2022-01-01"}, "; the same rules; another start (there 2022-01-01)"),
        ({"fee": 0.002, "slow": None}, "; other rules; another fee (there 0.002), slow (there none)"),
    ],
)
def test_the_sentence_says_whether_the_rules_are_the_same(changed: dict[str, Any] | None, end: str) -> None:
    assert told(LIKE, changed).endswith(end)


def test_what_failed_came_to_no_result() -> None:
    assert told({"id": "a", "result_digest": None}, {}).startswith("begun like a, which came to no result; ")


def test_show_views_and_files_tell_a_lineage(tmp_path: Path) -> None:
    assert said(tmp_path, *SYNTHETIC, "--no-charts").code == 0
    (earlier,) = (tmp_path / "outputs" / "runs").glob("2*")
    words = ("--like", str(earlier), "--paper", *SYNTHETIC, "--fee", "0.001", "--no-charts")
    assert said(tmp_path, *words).code == 0
    sentence = f"begun like {earlier.name}, whose result was "
    assert sentence in said(tmp_path, "paper-sessions", "show", "latest").out
    row = json.loads(said(tmp_path, "paper-sessions", "show", "latest", "--format", "json").out)
    assert (row["like_id"], row["like"]["id"]) == (earlier.name, earlier.name)
    assert row["like_changes"] == {"fee": 0.002}
    listed = said(tmp_path, "paper-sessions", "list", "--columns", "like_id", "--format", "csv").out
    assert listed.splitlines()[1].split(",")[-1] == earlier.name
    metadata = json.loads((session_of(tmp_path) / "session_metadata.json").read_text())
    assert metadata["like_changes"] == {"fee": 0.002}


def test_an_adopted_folder_keeps_its_lineage(tmp_path: Path) -> None:
    folder = tmp_path / "20260101_000000_paper_0123456789ab"
    folder.mkdir()
    told_by = {"run_id": folder.name, "status": "success", "like": LIKE, "like_changes": {"fee": 0.002}}
    (folder / "session_metadata.json").write_text(json.dumps(told_by))
    shown = said(tmp_path, "paper-sessions", "show", str(folder)).out
    assert f"begun like {LIKE['id']}, whose result was abcdef012345…; other rules; another fee" in shown
