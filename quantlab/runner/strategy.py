"""Which strategy runs: what is recorded of it, the copy of its code that is kept, and who is asked to decide."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quantlab.base.errors import DataError, QuantlabError
from quantlab.domain import lineage
from quantlab.domain.config import BUILT_IN_STRATEGY
from quantlab.domain.names import KEPT_STRATEGY
from quantlab.exports import bundle
from quantlab.trading.indicators import growing
from quantlab.trading.strategies import signals_file
from quantlab.trading.strategies.apart import SECONDS, Apart
from quantlab.trading.strategies.finding import built_in_source, find_strategy
from quantlab.trading.strategies.source import DECIDE, Source, read_source
from quantlab.trading.strategies.strategy import built_in
from quantlab.trading.tape import Decided

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from quantlab.base.values import JsonObject
    from quantlab.domain.config import RunConfig
    from quantlab.trading.indicators import Kept
    from quantlab.trading.market import Prices
    from quantlab.trading.strategies.decisions import Decisions
    from quantlab.trading.strategies.worker import Loaded
    from quantlab.trading.tape import Decider

logger = logging.getLogger(__name__)


class KeptCodeError(DataError):
    """The copy of a strategy's code that a folder keeps is not what ran (exit 3)."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A strategy that was chosen for a session or run.

    Attributes:
        source: Its code, or its signals.
        checked: Whether it is held to its bars before it is believed.
        apart: Where its code runs; None for the built-in and for signals.
        like: The session or run whose configuration was taken: id, config_hash, result_digest.
        earlier: That configuration.
        loaded: What its code says of itself; None for the built-in and for signals.
    """

    source: Source
    checked: bool = True
    apart: Apart | None = None
    like: JsonObject | None = None
    earlier: RunConfig | None = None
    loaded: Loaded | None = None

    def facts(self, config: RunConfig) -> JsonObject:
        """Return what is recorded of it."""
        source = self.source
        facts: JsonObject = {"name": source.name, "params": config.rule_parameters(), "digest": source.digest}
        facts["kind"] = source.kind
        rule = source.rule()
        if rule:
            facts["rule"] = rule
        if source.kind == "built-in":
            return facts
        if source.function != DECIDE:
            facts["function"] = source.function
        if source.kind == "package":
            facts |= {"package": source.package, "module": source.place}
        if source.kind != "signals":
            facts["checked"] = self.checked
        return facts

    def unlike(self, config: RunConfig) -> JsonObject | None:
        """Return what is another than in the configuration that was taken, each with its value there."""
        return None if self.earlier is None else lineage.changes(self.earlier, config)

    @property
    def min_bars(self) -> int:
        """Bars at the beginning on which its signals count for nothing."""
        if self.source.kind == "signals":
            return 0
        return built_in().min_bars if self.loaded is None else self.loaded.min_bars

    @property
    def fewest_bars(self) -> int:
        """Bars that there must be in all."""
        if self.source.kind == "signals":
            return 0
        rule = built_in()
        return max(rule.min_bars, rule.min_history) if self.loaded is None else self.loaded.fewest

    def kept_files(self) -> dict[str, bytes]:
        """Return the copy of the user's own files that is kept, by name relative to the session's folder."""
        if self.source.kind == "built-in":
            return {}
        return {f"{KEPT_STRATEGY}/{name}": data for name, data in self.source.files.items()}

    def decider(
        self,
        prices: Prices,
        config: RunConfig,
        *,
        between: Callable[[], None],
    ) -> Decider:
        """Return what the engine asks: the built-in, or decisions that the user's code or file gave.

        Args:
            prices: The bars.
            config: With the strategy's parameters.
            between: Called several times a second while the user's code works; may stop it by raising.

        Raises:
            DataError: there are too few bars, or signals that belong to none.
            StrategyError: it failed, or knows the future.
        """
        if self.source.kind == "signals":
            ((name, _data),) = self.source.files.items()
            return Decided(signals_file.decisions_at(signals_file.rows_of(self.source), prices, name))
        if self.apart is None:
            return built_in()
        self.apart.between = between
        answer = self.apart.decide(prices, config.rule_parameters(), checked=self.checked)
        if answer.thinned is not None:
            logger.info("NOTE: The check of strategy %s was thinned: %s.", self.source.name, answer.thinned)
        return Decided(answer.decisions)


@dataclass(frozen=True)
class Standing:
    """A strategy that is asked again and again, as bars come; it was checked when it was first asked.

    Attributes:
        chosen: The strategy.
        between: Called several times a second while the user's code works; may stop it by raising.
        kept: What indicators came to on the bars that were there before.
    """

    chosen: Chosen
    between: Callable[[], None]
    kept: Kept = field(default_factory=dict)

    def signals(self, prices: Prices, config: RunConfig) -> Decisions:
        """Return its decisions on all bars so far."""
        asked = replace(self.chosen, checked=False)
        with growing(self.kept):
            return asked.decider(prices, config, between=self.between).signals(prices, config)


def chosen_built_in() -> Chosen:
    """Return the built-in strategy as it is chosen where none is named."""
    return Chosen(source=built_in_source())


def keep(folder: Path, chosen: Chosen) -> list[str]:
    """Write the copy of the user's code into a session's folder; returns the names of its files.

    Raises:
        QuantlabError: a file can't be written.
    """
    files = chosen.kept_files()
    for name in files:
        place = (folder / name).parent
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise QuantlabError(f"{place} can't be made: {error.strerror or error}.") from error
    bundle.write_files(folder, files)
    return list(files)


def kept_decider(folder: Path, prices: Prices, config: RunConfig, facts: JsonObject | None) -> Decider:
    """Return the decisions of a strategy that ran before, as `kept_rule` does."""
    return kept_rule(folder, prices, config, facts)[0]


def kept_rule(
    folder: Path, prices: Prices, config: RunConfig, facts: JsonObject | None
) -> tuple[Decider, int]:
    """Return the decisions of a strategy that ran before, from the copy that its folder keeps.

    The number beside them is of the bars at the beginning on which its signals count for nothing.

    Args:
        folder: The session's or run's folder.
        prices: The bars that it ran on.
        config: Its configuration.
        facts: What was recorded of its strategy.

    Raises:
        KeptCodeError: the copy is not what ran, by its digest.
        DataError: the copy is gone, or the installed package is another one by now.
        StrategyError: it failed.
    """
    if config.strategy == BUILT_IN_STRATEGY:
        rule = built_in()
        return rule, rule.min_bars
    source = kept_source(folder, config, facts or {})
    if source.kind == "signals":
        chosen = Chosen(source=source)
        return chosen.decider(prices, config, between=_nothing), chosen.min_bars
    with Apart(source, seconds=SECONDS) as apart:
        loaded = apart.load(config.rule_parameters())
        chosen = Chosen(source=source, apart=apart, checked=False, loaded=loaded)
        return chosen.decider(prices, config, between=_nothing), chosen.min_bars


def kept_source(folder: Path, config: RunConfig, facts: JsonObject) -> Source:
    """Return the code of a strategy that ran before, held to the digest that was recorded.

    Raises:
        KeptCodeError: the copy is not what ran.
        DataError: there is no copy, or the installed package is another one by now.
    """
    kind, place = facts.get("kind"), folder / KEPT_STRATEGY
    if kind == "package":
        return _same_package(config, facts)
    try:
        one = _kept_in(place)
        function = facts.get("function")
        source = signals_file.read_signals(one) if kind == "signals" else read_source(one, function)
    except (OSError, ValueError, QuantlabError) as error:
        raise DataError(
            f"{place} doesn't hold the strategy that ran ({error}); without its code nothing can be run again. "
            "Bring the folder back from a copy."
        ) from error
    if source.digest != config.strategy_digest:
        raise KeptCodeError(
            f"the kept strategy {one} was edited: its SHA-256 is {source.digest[:12]}…, recorded was "
            f"{str(config.strategy_digest)[:12]}…; bring that file back from a copy."
        )
    return replace(source, name=config.strategy)


def _kept_in(place: Path) -> Path:
    """Return the one file or folder that is kept there.

    Raises:
        OSError, ValueError: there is none, or there are several.
    """
    found = [each for each in place.iterdir() if not each.name.startswith(".")]
    if len(found) != 1:
        raise ValueError(f"it holds {len(found) or 'no'} files")
    return found[0]


def _same_package(config: RunConfig, facts: JsonObject) -> Source:
    try:
        source = find_strategy(f"{facts['module']}:{facts.get('function', DECIDE)}")
    except QuantlabError as error:
        raise DataError(
            f"The package {facts.get('package')} that the strategy came from can't be found ({error}) Install it again."
        ) from error
    if source.digest != config.strategy_digest:
        raise DataError(
            f"The strategy came from {facts.get('package')}; installed is {source.package} with other files. "
            "Install that version again."
        )
    return replace(source, name=config.strategy)


def _nothing() -> None:
    """Do nothing between two looks."""
