"""The gate on SQLite and PostgreSQL alike: what blocks a session, what stands beside it, and what is demanded."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.sessions_builder import NOW, Sessions, ago

from quantlab.base.clock import iso
from quantlab.base.errors import ConfigError
from quantlab.domain.events import OPERATOR, Amended
from quantlab.domain.promotion import CAUTIONS
from quantlab.domain.requirements import requirement
from quantlab.ledger import known, projection
from quantlab.queries.health import health
from quantlab.queries.listing import ListFilter, sessions
from quantlab.queries.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quantlab.ledger.location import Location
    from quantlab.queries.promotion import Promotion

Row = dict[str, Any]

SOUND: Row = {
    "total_return": 0.5,
    "buy_and_hold_return": 0.2,
    "trades": 40,
    "days": 730,
    "sharpe_low": 0.4,
    "sharpe_high": 2.0,
    "max_participation": 0.01,
}
"""Figures that give no cause for any caution."""
CLEAN: Row = {"code": {"version": "0.2.0", "digest": "a" * 64, "modified": False}, "research_trials": 0}


@pytest.fixture
def built(any_location: Location) -> Iterator[Sessions]:
    assert any_location.root is not None
    with Sessions(any_location.root, any_location.url) as sessions_built:
        yield sessions_built


def run_of(built: Sessions, session_id: str = "s1", **figures: Any) -> Sessions:
    """Record a session that succeeded, with nothing against it but what the figures say."""
    built.started(session_id, ago(days=2), **CLEAN).loaded(session_id, ago(days=2))
    return built.succeeded(session_id, ago(days=2) + timedelta(minutes=1), **(SOUND | figures))


def asked(built: Sessions, *require: str, most: int = 9) -> Promotion:
    with built.reader() as reader:
        return promotion(reader, now=NOW, max_candidates=most, require=[requirement(one) for one in require])


def row_of(built: Sessions, session_id: str = "s1", *require: str) -> Row:
    found = asked(built, *require)
    rows = [*found["ready_candidates"], *found["blocked_sessions"]]
    return next(row for row in rows if row["session_id"] == session_id)


def blockers(built: Sessions, session_id: str = "s1", *require: str) -> list[str]:
    return list(row_of(built, session_id, *require)["broker_promotion_blockers"])


def cautions(built: Sessions, session_id: str = "s1") -> list[str]:
    return list(row_of(built, session_id)["cautions"])


def test_a_session_with_nothing_against_it_is_in_order_and_only_lacks_forward_bars(built: Sessions) -> None:
    row = row_of(run_of(built))
    assert (row["broker_promotion_ready"], row["cautions"]) == (True, ["no_forward_bars"])


def test_a_proof_that_was_identical_is_a_reason(built: Sessions) -> None:
    run_of(built).proved("s1", ago(days=1))
    assert row_of(built)["broker_promotion_reasons"][-1] == "proved_identical"


@pytest.mark.parametrize("outcome", ["different", "impossible"])
def test_a_proof_that_failed_blocks(built: Sessions, outcome: str) -> None:
    run_of(built).proved("s1", ago(days=1), outcome=outcome)
    assert blockers(built) == [f"proof_{outcome}"]


def test_an_unproved_session_has_neither_reason_nor_blocker(built: Sessions) -> None:
    row = row_of(run_of(built))
    assert not [one for one in row["broker_promotion_reasons"] if "prove" in one]


@pytest.mark.parametrize("file", ["metrics.json", "report.json", "session_metadata.json", "metadata.json"])
def test_an_edited_figure_blocks_and_never_replaces_the_recorded_one(built: Sessions, file: str) -> None:
    edited = {"summary": {"before": {"total_return": 0.5}, "after": {"total_return": 9.0}}}
    event = Amended(file=file, changes=edited, fields={"total_return": 9.0}, lifecycle=False)
    run_of(built).record("s1", ago(days=1), event, OPERATOR)
    row = row_of(built)
    assert row["broker_promotion_blockers"] == ["amended_outside"]
    assert (row["total_return"], row["summary"]["total_return"]) == (0.5, 0.5)
    assert row["amended"] == {"total_return": 9.0}


def test_an_edited_summary_in_the_machine_contract_blocks(built: Sessions) -> None:
    told = {"before": {"status": "success", "summary": {"trades": 3}}, "after": {"status": "success"}}
    event = Amended(file="report.json", changes={"machine_contract": told}, fields={}, lifecycle=False)
    run_of(built).record("s1", ago(days=1), event, OPERATOR)
    assert blockers(built) == ["amended_outside"]


def test_an_edited_source_of_prices_does_not_replace_the_recorded_one(built: Sessions) -> None:
    told = {"prices": {"before": "synthetic", "after": "yahoo"}}
    event = Amended(file="config.json", changes=told, fields={"price_source": "yahoo"}, lifecycle=False)
    built.success("s1", ago(days=2), prices="synthetic").record("s1", ago(days=1), event, OPERATOR)
    assert blockers(built) == ["synthetic_prices"]


def test_prices_that_are_known_as_made_up_are_no_market_s(built: Sessions) -> None:
    built.started("s1", ago(days=2)).loaded("s1", ago(days=2), source="file", made_up=True)
    built.succeeded("s1", ago(days=1))
    assert blockers(built) == ["synthetic_prices"]


def test_the_ledger_knows_which_prices_a_synthetic_session_had(built: Sessions) -> None:
    built.success("s1", ago(days=2), prices="synthetic")
    built.started("s2", ago(days=2)).loaded("s2", ago(days=2), source="file", data_hash="f" * 64)
    with built.store.read() as connection:
        assert [known.made_up(connection, digest * 64) for digest in "df0"] == [True, False, False]


def test_a_strategy_that_was_not_checked_blocks(built: Sessions) -> None:
    told = {"name": "mine", "params": {}, "digest": "1" * 64, "kind": "file", "checked": False}
    built.started("s1", ago(days=2), strategy=told).loaded("s1", ago(days=2)).succeeded("s1", ago(days=1))
    assert blockers(built) == ["unchecked_strategy"]


def test_doubtful_data_unreadable_files_and_a_folder_that_is_gone_block(built: Sessions) -> None:
    built.started("s1", ago(days=2)).loaded("s1", ago(days=2), doubts=("price_break",))
    built.succeeded("s1", ago(days=1))
    run_of(built, "s2").vanished("s2", ago(days=1))
    torn = Amended(file="report.json", changes={}, fields={"unreadable": "report.json"}, lifecycle=False)
    run_of(built, "s3").record("s3", ago(days=1), torn, OPERATOR)
    found = [blockers(built, name) for name in ("s1", "s2", "s3")]
    assert found == [["doubtful_data"], ["missing_report", "vanished"], ["unreadable_files"]]


def adopted(built: Sessions, **told: Any) -> Sessions:
    return built.adopted(
        "s1", ago(days=1), report_present=True, report_contract_type="quantlab.paper.result", **told
    )


def test_an_adopted_folder_that_lacks_what_a_session_leaves_is_blocked(built: Sessions) -> None:
    adopted(built, missing=("metrics", "trades"))
    row = row_of(built)
    assert row["broker_promotion_blockers"] == ["missing_evidence"]
    assert row["evidence_missing"] == "metrics trades"


def test_an_adopted_folder_whose_files_contradict_each_other_is_not_unamended(built: Sessions) -> None:
    adopted(built, disagree=("trades: the files say 40, trades.csv has 2",))
    assert blockers(built) == ["amended_outside"]


@pytest.mark.parametrize(
    ("caution", "figures"),
    [
        ("loses_money", {"total_return": -0.9943, "buy_and_hold_return": -1.0}),
        ("below_buy_and_hold", {"buy_and_hold_return": 0.6}),
        ("few_trades", {"trades": 2}),
        ("short_history", {"days": 364}),
        ("sharpe_near_zero", {"sharpe_low": -0.1}),
        ("high_participation", {"max_participation": 1.2}),
    ],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_a_figure_that_is_bad_or_unknown_is_a_caution(
    built: Sessions, caution: str, figures: dict[str, float], is_known: bool
) -> None:
    told: Row = {**figures} if is_known else dict.fromkeys(figures)
    if caution == "few_trades" and not is_known:
        told = {}
        built.adopted("s1", ago(days=1))
    else:
        run_of(built, **told)
    assert caution in cautions(built)


def test_a_sharpe_ratio_that_is_surely_below_zero_is_not_near_zero(built: Sessions) -> None:
    assert "sharpe_near_zero" not in cautions(run_of(built, sharpe_low=-2.0, sharpe_high=-0.5))


def test_other_rules_on_overlapping_bars_are_counted(built: Sessions) -> None:
    run_of(built)
    for number in range(3):
        built.started(f"o{number}", ago(days=2), config={"rsi_buy_max": 40.0 + number})
    built.started("again", ago(days=2)).started("other", ago(days=2), ticker="SPY", config={"fee": 0.1})
    later = {"start": "2024-01-01", "end": "2025-01-01", "fee": 0.3}
    built.started("later", ago(days=2), config=later)
    row = row_of(built)
    assert row["searched_configurations"] == 3
    assert "searched" in row["cautions"]


def test_research_runs_beside_it_are_counted_too(built: Sessions) -> None:
    told = CLEAN | {"research_trials": 195}
    built.started("s1", ago(days=2), **told).loaded("s1", ago(days=2)).succeeded("s1", ago(days=1))
    row = row_of(built)
    assert (row["searched_configurations"], "searched" in row["cautions"]) == (195, True)


def test_trials_stand_after_a_rebuild_as_before(built: Sessions) -> None:
    run_of(built).started("o1", ago(days=2), config={"rsi_buy_max": 40.0})
    with built.store.write() as connection:
        projection.rebuild(connection)
    with built.store.read() as connection:
        assert list(projection.differences(connection)) == []
    assert row_of(built)["searched_configurations"] == 1


@pytest.mark.parametrize("code", [{"modified": True}, {"modified": None}, None], ids=["yes", "untold", "old"])
def test_code_that_is_another_than_its_commit_is_a_caution(built: Sessions, code: Row | None) -> None:
    built.started("s1", ago(days=2), code=code).loaded("s1", ago(days=2)).succeeded("s1", ago(days=1))
    assert "modified_code" in cautions(built)


def test_the_code_stands_in_the_row(built: Sessions) -> None:
    row = row_of(run_of(built))
    assert (row["code_digest"], row["code_modified"]) == ("a" * 64, False)


def test_a_session_from_a_time_to_come_is_doubted_and_not_the_latest(built: Sessions) -> None:
    run_of(built)
    ahead = NOW + timedelta(days=4_000)
    built.started("s9", ahead, **CLEAN).loaded("s9", ahead).succeeded("s9", ahead + timedelta(minutes=1))
    found = asked(built, most=1)
    assert [row["session_id"] for row in found["ready_candidates"]] == ["s1"]
    assert "doubtful_clock" in cautions(built, "s9")
    with built.reader() as reader:
        assert health(reader)["latest_session_id"] == "s1"


def test_an_event_long_before_the_one_before_it_is_doubted(built: Sessions) -> None:
    told = CLEAN | {"clock_before": iso(ago(days=1))}
    built.started("s1", ago(days=700), **told).loaded("s1", ago(days=700)).succeeded("s1", ago(days=700))
    run_of(built, "s2").proved("s2", ago(days=9))
    run_of(built, "s3").proved("s3", ago(days=2) - timedelta(minutes=3))
    found = ["doubtful_clock" in cautions(built, name) for name in ("s1", "s2", "s3")]
    assert found == [True, True, False]


def test_an_adopted_time_after_its_recording_is_doubted(built: Sessions) -> None:
    adopted(built, created_at=iso(ago(hours=1)), updated_at=iso(ago(hours=1)))
    assert "doubtful_clock" in cautions(built)


def test_cautions_stand_in_the_order_of_the_contract(built: Sessions) -> None:
    built.adopted("s1", ago(days=1), updated_at=iso(ago(hours=1)))
    without_forward_bars = [one.code for one in CAUTIONS if one.code != "late_bars"]
    assert cautions(built) == without_forward_bars


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("trades>=30", True),
        ("trades >= 41", False),
        ("total_return>buy_and_hold_return", True),
        ("max_drawdown>=-0.3", True),
        ("max_drawdown>=-0.05", False),
        ("annual_return>0", False),
        ("proved", False),
        ("searched_configurations==0", True),
    ],
)
def test_what_is_demanded_blocks_where_it_is_not_met_or_unknown(
    built: Sessions, expression: str, holds: bool
) -> None:
    found = asked(run_of(built), expression)
    name = requirement(expression).name
    told = [row["broker_promotion_blockers"] for row in found["blocked_sessions"]]
    assert told == ([] if holds else [[f"require_{name}"]])
    assert (found["promotion_ready_count"], found["promotion_blocked_count"]) == ((1, 0) if holds else (0, 1))


def test_several_demands_are_named_each_beside_the_contract_s_blockers(built: Sessions) -> None:
    run_of(built).proved("s1", ago(days=1), outcome="different")
    assert blockers(built, "s1", "proved", "trades>=41") == [
        "proof_different",
        "require_proved",
        "require_trades",
    ]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("trade>=30", "Did you mean trades?"),
        ("trades>=many", "names 'many'"),
        ("trades>=nan", "finite number"),
        ("prove", "Did you mean proved?"),
        ("trades>=30; DROP TABLE events", "can't be read"),
        ("__import__('os')", "can't be read"),
        ("status>=1", "names 'status'"),
    ],
)
def test_a_demand_that_can_t_be_read_is_refused(expression: str, told: str) -> None:
    with pytest.raises(ConfigError, match=r"^--require: ") as refused:
        requirement(expression)
    assert told in str(refused.value)


def test_each_session_carries_its_summary_and_its_paths(built: Sessions) -> None:
    row = row_of(run_of(built))
    assert {name: row[name] for name in row if name.endswith(("_path", "_dir"))} == {
        "config_path": "inline_cli",
        "session_metadata_path": f"{row['path']}/session_metadata.json",
        "session_status_path": f"{row['path']}/session_status.json",
        "report_path": f"{row['path']}/report.json",
        "run_report_path": f"{row['path']}/run_report.md",
        "trades_path": f"{row['path']}/trades.csv",
        "artifacts_dir": f"{row['path']}/artifacts",
    }


def test_twins_are_those_of_equal_rules_range_cash_and_prices(built: Sessions) -> None:
    """How a price file was spelled, or what else `config_hash` covers, parts no twins."""
    for session_id, config_hash in (("s1", "1" * 64), ("s2", "2" * 64)):
        built.success(session_id, ago(days=2), config_hash=config_hash, data_hash="d" * 64)
    built.success("richer", ago(days=2), config={"initial_cash": 9.0})
    built.success("dearer", ago(days=2), config={"fee": 0.01})
    with built.reader() as reader:
        assert {row["session_id"] for row in sessions(reader, ListFilter(duplicates=True))} == {"s1", "s2"}
