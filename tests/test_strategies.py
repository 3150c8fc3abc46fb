"""Strategies as users write, name and parametrise them: indicators, answers, signatures, files, folders, packages."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import pandas as pd
import pytest
import talib
from numpy.testing import assert_allclose, assert_array_equal
from support.engine_markets import walk
from support.flow_program import said

from quantlab import Bars, Range, Signals, atr, crossed_above, ema, highest, lowest, rsi, sma
from quantlab.base.errors import ConfigError, DataError, StrategyError
from quantlab.trading.simulation import simulate
from quantlab.trading.strategies.apart import Apart
from quantlab.trading.strategies.decisions import decisions_of
from quantlab.trading.strategies.example import TEXT
from quantlab.trading.strategies.finding import find_strategy, known_strategies
from quantlab.trading.strategies.parameters import Text, parameters_of, resolved
from quantlab.trading.strategies.source import read_source
from quantlab.trading.strategies.strategy import Strategy, View
from quantlab.trading.tape import Decided

if TYPE_CHECKING:
    from pathlib import Path

PRICES = walk(600, 3)
BARS = View.of(PRICES).bars


@pytest.mark.parametrize("window", [2, 5, 20, 50])
def test_indicators_are_talibs(window: int) -> None:
    assert_allclose(sma(BARS.close, window), talib.SMA(BARS.close, window), rtol=1e-10)
    assert_allclose(ema(BARS.close, window), talib.EMA(BARS.close, window), rtol=1e-10)
    assert_allclose(rsi(BARS.close, window), talib.RSI(BARS.close, window), rtol=1e-9)
    assert_array_equal(highest(BARS.high, window), talib.MAX(BARS.high, window))
    assert_array_equal(lowest(BARS.low, window), talib.MIN(BARS.low, window))
    true_range = talib.ATR(BARS.high, BARS.low, BARS.close, window)
    assert_allclose(atr(BARS.high, BARS.low, BARS.close, window), true_range, rtol=1e-9)


def test_an_indicator_s_value_hangs_on_no_later_bar() -> None:
    for bars in (1, 30, 333):
        for indicator in (sma, ema, rsi, highest, lowest):
            whole, part = indicator(BARS.close, 14), indicator(BARS.close[:bars], 14)
            assert np.array_equal(whole[:bars], part, equal_nan=True)


def test_an_indicator_of_an_indicator_begins_where_that_is_known() -> None:
    strength = rsi(BARS.close, 14)
    assert np.flatnonzero(np.isfinite(ema(strength, 5)))[0] == 18
    assert np.flatnonzero(np.isfinite(rsi(strength, 5)))[0] == 19
    assert np.isnan(ema(np.full(9, np.nan), 3)).all()


def test_indicators_take_series_and_lists() -> None:
    series = pd.Series(BARS.close)
    assert np.array_equal(sma(series, 20), sma(BARS.close, 20), equal_nan=True)
    assert sma([1, 2, 3], 2).tolist()[1:] == [1.5, 2.5]


@pytest.mark.parametrize("window", [0, -1, 2.5, True, "3"])
def test_a_window_is_a_whole_number_of_bars(window: Any) -> None:
    with pytest.raises(ValueError, match="expected a whole number of bars"):
        sma(BARS.close, window)


def test_a_crossing_comes_from_below_or_from_the_line() -> None:
    line = [np.nan, 1, 3, 2, 2, 3, 1, 3]
    assert np.flatnonzero(crossed_above(line, 2)).tolist() == [2, 5, 7]
    assert not crossed_above([np.nan, 3], 2).any()


def test_a_crossing_by_rounding_is_none() -> None:
    assert not crossed_above([0.3, 0.1 + 0.2], 0.3).any()
    assert not crossed_above([], 1).any()


def test_a_strategy_sees_carried_prices_and_wants_nothing_where_there_is_none() -> None:
    seen: list[Bars] = []

    def decide(bars: Bars) -> Signals:
        seen.append(bars)
        always = np.ones(len(bars), np.bool_)
        return Signals(enter=always, leave=always, size=0.5, values={"close": bars.close})

    prices = walk(10)
    prices.close[[0, 1, 5]] = [np.nan, -1.0, 0.0]
    prices.high[4] = np.inf
    decided = Strategy(name="all", decide=decide).decisions(prices, {})
    assert len(seen[0]) == 8
    assert seen[0].close[3] == prices.close[4]
    assert seen[0].high[2] == prices.close[4]
    assert np.flatnonzero(~decided.enter).tolist() == [0, 1, 5]
    assert np.isnan(decided.values["close"][:2]).all()


def test_signals_before_min_bars_count_for_nothing() -> None:
    def decide(bars: Bars) -> Signals:
        always = np.ones(len(bars), np.bool_)
        return Signals(enter=always, leave=always)

    strategy = Strategy(name="all", decide=decide, min_bars=7)
    assert np.flatnonzero(strategy.decisions(walk(10), {}).enter).tolist() == [7, 8, 9]
    with pytest.raises(DataError, match="all needs at least 7"):
        strategy.decisions(walk(6), {})


def answer(**given: Any) -> Any:
    enter = np.zeros(600, np.bool_)
    enter[::7] = True
    return decisions_of(Signals(**{"enter": enter, "leave": ~enter, **given}), BARS, name="mine")


def test_reasons_are_codes_for_all_bars_or_one_a_bar_or_places() -> None:
    plain = answer()
    assert plain.reasons[plain.enter_reason[0]] == "enter"
    each = answer(enter_reason=np.where(np.arange(600) % 2, "odd", "even"))
    assert each.reasons[each.enter_reason[7]] == "odd"
    places = answer(reasons=("a", "b"), enter_reason=np.uint8(1), leave_reason=np.zeros(600, int))
    assert (places.reasons[places.enter_reason[0]], places.reasons[places.leave_reason[1]]) == ("b", "a")


def test_a_size_of_all_is_none_and_any_other_one_is_kept() -> None:
    assert answer(size=1).size is None
    assert answer(size=np.ones(600)).size is None
    assert answer(size=0.25).size.tolist() == [0.25] * 600
    assert answer(size=np.float32(0.25)).size.tolist() == [0.25] * 600


def test_booleans_of_numpy_may_stand_among_objects() -> None:
    enter = np.array([np.bool_(bar % 7 == 0) for bar in range(600)], object)
    assert_array_equal(answer(enter=enter).enter, answer().enter)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 65])
def test_a_value_has_a_name_that_a_table_can_show(name: str) -> None:
    with pytest.raises(StrategyError, match="expected numbers under a short name"):
        answer(values={name: np.zeros(600)})


def test_what_a_size_leaves_stays_cash() -> None:
    simulation = simulate(PRICES, _free(), Decided(answer(size=0.25)))
    first = simulation.fills[0]
    assert first.cash_after == 750.0
    assert first.quantity * first.price == pytest.approx(250.0)


def _free() -> Any:
    from quantlab.domain.config import RunConfig

    return RunConfig(fee=0.0, slippage_bps=0.0)


def rule(
    bars: Bars,
    fast: Annotated[int, Range(2, 500)] = 10,
    share: float = 0.5,
    mode: Literal["a", "b"] = "a",
    *,
    deep: bool = False,
    label: str = "x",
) -> None:
    """A signature with one of each."""


PARAMETERS = parameters_of(rule, "mine.py, line 1")


def test_parameters_are_read_off_the_signature() -> None:
    assert [(one.name, one.kind, one.default) for one in PARAMETERS] == [
        ("fast", int, 10),
        ("share", float, 0.5),
        ("mode", str, "a"),
        ("deep", bool, False),
        ("label", str, "x"),
    ]


RULE = "def rule(bars: Bars, fast: int = 10, share: float = 0.5) -> Signals:\n    return {answer}\n"
CROSS = RULE.format(answer="Signals(enter=bars.close > share, leave=bars.close < fast)")


@pytest.mark.parametrize(
    "rest",
    [
        "import functools\ndecide = functools.partial(rule, share=0.25)\n",
        "class Rule:\n    def __call__(self, bars, fast: int = 10, share: float = 0.25):\n"
        "        return rule(bars, fast, share)\n\n\ndecide = Rule()\n",
        "class Rule:\n    def other(self, bars, fast: int = 10, share: float = 0.25):\n"
        "        return rule(bars, fast, share)\n\n\ndecide = Rule().other\n",
        "def decide(bars, fast=np.int64(10), share: float = np.float32(0.25)):\n"
        "    return rule(bars, fast, share)\n",
    ],
)
def test_whatever_can_be_called_is_a_strategy(tmp_path: Path, rest: str) -> None:
    head = '"""Cross."""\n\nimport numpy as np\n\nfrom quantlab import Bars, Signals\n\n\n'
    (tmp_path / "mine.py").write_text(f"{head}{CROSS}\n\n{rest}")
    with Apart(find_strategy(str(tmp_path / "mine.py"))) as apart:
        loaded = apart.load({"fast": Text("12")})
        assert (loaded.rule, loaded.values) == ("Cross.", {"fast": 12, "share": 0.25})
        assert apart.decide(PRICES, loaded.values).signals > 0


def test_names_for_a_type_checker_alone_may_stand_at_bars_and_answer(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\nimport quantlab\n\n"
        "if TYPE_CHECKING:\n    from quantlab import Bars, Signals\n\n\n"
        + RULE.replace("rule", "decide").format(
            answer="quantlab.Signals(enter=bars.close > share, leave=bars.close < fast)"
        )
    )
    with Apart(find_strategy(str(tmp_path / "mine.py"))) as apart:
        assert apart.load({}).values == {"fast": 10, "share": 0.5}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("fast", "20", 20),
        ("share", "1", 1.0),
        ("share", "-0.0", 0.0),
        ("mode", "b", "b"),
        ("deep", "yes", True),
        ("deep", "off", False),
        ("label", "10", "10"),
    ],
)
def test_a_typed_value_becomes_what_its_parameter_is(name: str, text: str, value: object) -> None:
    found = resolved(PARAMETERS, {name: Text(text)}, "mine")[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("fast", 1, "2 to 500"),
        ("fast", True, "a whole number"),
        ("fast", 2.0, "a whole number"),
        ("share", float("nan"), "a number"),
        ("share", 10**400, "a number"),
        ("mode", "c", "one of a, b"),
        ("deep", 1, "true or false"),
        ("label", "a\nb", "a text"),
        ("fsat", 3, "did you mean 'fast'"),
        ("zzz", 3, "it takes fast, share, mode, deep, label"),
    ],
)
def test_a_value_of_no_use_is_refused_with_what_was_expected(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolved(PARAMETERS, {name: value}, "mine")
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("range_", "told"),
    [(Range(1, 2), "1 to 2"), (Range(1), "1 or more"), (Range(None, 2), "at most 2"), (Range(), "any")],
)
def test_a_range_says_what_it_holds(range_: Range, told: str) -> None:
    assert str(range_) == told


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    place = tmp_path / "mine.py"
    place.write_text(TEXT)
    source = read_source(place)
    assert (source.name, source.digest) == ("mine", hashlib.sha256(TEXT.encode()).hexdigest())
    assert read_source(place, "other").name == "mine:other"


def folder_strategy(folder: Path) -> Path:
    place = folder / "pair"
    (place / "parts").mkdir(parents=True)
    (place / "__init__.py").write_text(
        "from quantlab import Bars, Signals\nfrom .parts.limits import LIMIT\n\n\n"
        "def decide(bars: Bars, limit: float = LIMIT) -> Signals:\n"
        "    from . import later\n\n    return later.signals(bars, limit)\n"
    )
    (place / "parts" / "__init__.py").write_text("")
    (place / "parts" / "limits.py").write_text("LIMIT = 101.0\n")
    (place / "later.py").write_text(
        "from quantlab import Signals\n\n\ndef signals(bars, limit):\n"
        "    return Signals(enter=bars.close < limit, leave=bars.close > limit)\n"
    )
    return place


def test_a_folder_is_a_strategy_of_several_files(tmp_path: Path) -> None:
    place = folder_strategy(tmp_path)
    source = find_strategy(str(place))
    with Apart(source) as apart:
        loaded = apart.load({})
        assert loaded.values == {"limit": 101.0}
        assert apart.decide(PRICES, loaded.values).signals > 0
    (place / "parts" / "limits.py").write_text("LIMIT = 102.0\n")
    assert find_strategy(str(place)).digest != source.digest


def test_a_folder_s_function_may_be_named(tmp_path: Path) -> None:
    place = folder_strategy(tmp_path)
    with (place / "__init__.py").open("a") as file:
        file.write(
            '\n\ndef other(bars: Bars, days: int = 7) -> Signals:\n    """Another rule."""\n    return decide(bars)\n'
        )
    with Apart(find_strategy(f"{place}:other")) as apart:
        assert apart.load({}).values == {"days": 7}
    with pytest.raises(ConfigError, match="names no function after the colon"):
        find_strategy(f"{place}:")


def test_a_session_keeps_a_folder_whole(tmp_path: Path) -> None:
    folder_strategy(tmp_path)
    done = said(tmp_path, "--paper", "--strategy", "pair", "--prices", "synthetic")
    assert done.code == 0, done.err
    (session,) = (one for one in (tmp_path / "outputs" / "paper_sessions").iterdir() if one.is_dir())
    kept = {one.name for one in (session / "artifacts" / "strategy").rglob("*.py")}
    assert kept == {"__init__.py", "limits.py", "later.py"}
    assert said(tmp_path, "paper-sessions", "prove", str(session)).code == 0


@pytest.mark.parametrize("line", ["import later", "from pair.later import signals", "import pair.later"])
def test_a_folder_s_part_that_is_imported_without_a_dot_is_told(tmp_path: Path, line: str) -> None:
    place = folder_strategy(tmp_path)
    (place / "__init__.py").write_text(f"{line}\n{TEXT}")
    with (
        pytest.raises(StrategyError, match=r"line 1: .* Write 'from \.(later|PART) import …'"),
        Apart(find_strategy(str(place))) as apart,
    ):
        apart.load({})


@pytest.mark.parametrize(
    "line", ["import beside", "from beside import x", "from . import beside", "from .beside import x"]
)
def test_a_file_beside_is_not_imported(tmp_path: Path, line: str) -> None:
    (tmp_path / "beside.py").write_text("x = 1\n")
    (tmp_path / "mine.py").write_text(f"{line}\n{TEXT}")
    with pytest.raises(StrategyError, match=r"mine\.py, line 1: .*folder"):
        read_source(tmp_path / "mine.py")


def test_a_file_with_the_built_in_s_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rsi_ma_cross_v2.py").write_text(TEXT)
    with pytest.raises(ConfigError, match="built-in's name"):
        find_strategy(str(tmp_path / "rsi_ma_cross_v2.py"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a package that names a strategy."""
    there = tmp_path / "site"
    facts = there / "goldenrule-1.2.dist-info"
    (there / "goldenrule").mkdir(parents=True)
    facts.mkdir()
    (there / "goldenrule" / "__init__.py").write_text("")
    (there / "goldenrule" / "rules.py").write_text(TEXT)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: goldenrule\nVersion: 1.2\n")
    (facts / "entry_points.txt").write_text("[quantlab.strategies]\ngolden = goldenrule.rules:decide\n")
    (facts / "RECORD").write_text("goldenrule/__init__.py,sha256=a,0\ngoldenrule/rules.py,sha256=b,1\n")
    (facts / "top_level.txt").write_text("goldenrule\n")
    monkeypatch.syspath_prepend(str(there))
    monkeypatch.setenv("PYTHONPATH", str(there))
    return there


def test_an_installed_package_names_its_strategies(package: Path) -> None:
    assert ("golden", "package", "goldenrule.rules:decide (goldenrule 1.2)") in known_strategies()
    by_name, by_module = find_strategy("golden"), find_strategy("goldenrule.rules:decide")
    assert by_name.package == by_module.package == "goldenrule 1.2"
    assert by_name.digest == by_module.digest
    with Apart(by_name) as apart:
        assert apart.decide(PRICES, apart.load({}).values).signals > 0


def test_other_files_of_a_package_are_another_digest(package: Path) -> None:
    before = find_strategy("golden").digest
    record = package / "goldenrule-1.2.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("sha256=b", "sha256=c"))
    assert find_strategy("golden").digest != before


def test_an_editable_package_is_known_by_its_code(package: Path) -> None:
    (package / "goldenrule-1.2.dist-info" / "RECORD").write_text("goldenrule.pth,,\n")
    before = find_strategy("golden").digest
    (package / "goldenrule" / "rules.py").write_text(f"{TEXT}# edited\n")
    assert find_strategy("golden").digest != before


def test_what_is_installed_by_nobody_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loose.py").write_text(TEXT)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match="belongs to no installed package"):
        find_strategy("loose:decide")
    with pytest.raises(ConfigError, match="no module 'nowhere'"):
        find_strategy("nowhere.rules:decide")


def test_a_name_that_nobody_knows_has_neighbours() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'rsi_ma_cross_v2'"):
        find_strategy("rsi_ma_cross")


def test_the_commands_write_list_show_and_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(tmp_path, "strategies", "new", "mine.py").code == 0
    assert (tmp_path / "mine.py").read_text() == TEXT
    monkeypatch.setenv("QUANTLAB_STRATEGIES", str(tmp_path))
    listed = said(tmp_path, "--strategies-list", "--format", "json")
    assert [one["name"] for one in json.loads(listed.out)][-1] == "mine"
    shown = said(tmp_path, "--strategies-show", "mine.py")
    assert "Buy when the fast mean crosses above" in shown.out
    assert "fast : a whole number, 2 to 500 (default 10)" in shown.out
    assert hashlib.sha256(TEXT.encode()).hexdigest() in shown.out
    checked = said(tmp_path, "--strategies-check", "mine.py", "--param", "fast=20")
    assert "mine (fast=20, slow=50) is sound" in checked.out
    built_in = said(tmp_path, "strategies", "show", "rsi_ma_cross_v2", "--format", "json")
    assert [one["name"] for one in json.loads(built_in.out)["parameters"]] == ["rsi_buy_max", "rsi_sell_min"]
    assert said(tmp_path, "strategies", "check", "rsi_ma_cross_v2").code == 0


def test_what_new_says_can_be_typed(tmp_path: Path) -> None:
    told = said(tmp_path, "strategies", "new", "my rule.py").out
    assert told == "Wrote my rule.py. Run it: quantlab run --strategy 'my rule.py' --prices synthetic\n"


def test_a_parameter_as_an_option_is_told_how_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(TEXT)
    words = ("run", "--strategy", "mine.py", "--prices", "synthetic")
    assert "did you mean '--param fast=VALUE'" in said(tmp_path, *words, "--fast", "20").err
    assert "did you mean '--ticker'?" in said(tmp_path, *words, "--tickr", "X").err


@pytest.mark.parametrize("file", ["mine.py", "mine.txt", "nowhere/mine.py"])
def test_new_overwrites_nothing_and_makes_no_folder(tmp_path: Path, file: str) -> None:
    (tmp_path / "mine.py").write_text("mine\n")
    assert said(tmp_path, "--strategies-new", file).code == 2
    assert (tmp_path / "mine.py").read_text() == "mine\n"
    assert not (tmp_path / "nowhere").exists()
