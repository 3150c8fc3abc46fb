"""The strategy that a forward session goes on with: the copy of its code that the session keeps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from quantlab.domain.config import BUILT_IN_STRATEGY
from quantlab.runner.strategy import Chosen, chosen_built_in, kept_source
from quantlab.trading.strategies.apart import SECONDS, Apart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from quantlab.sessions.forward.memory import Memory


@contextmanager
def kept_strategy(folder: Path, memory: Memory) -> Iterator[Chosen]:
    """Load the strategy from the copy that the session keeps, held to the digest that was recorded.

    Raises:
        KeptCodeError: the copy is not what was recorded.
        DataError: the copy is gone, or the installed package is another one by now.
        StrategyError: it can't be loaded.
    """
    if memory.config.strategy == BUILT_IN_STRATEGY:
        yield chosen_built_in()
        return
    source = kept_source(folder, memory.config, memory.started.strategy or {})
    with Apart(source, seconds=SECONDS) as apart:
        loaded = apart.load(memory.config.rule_parameters())
        checked = bool((memory.started.strategy or {}).get("checked", True))
        yield Chosen(source=source, apart=apart, checked=checked, loaded=loaded)
