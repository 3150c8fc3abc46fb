"""The process in which a user's code runs: it loads the strategy, asks it and checks it, as its parent bids.

Whatever the code does to its process, the session that asked goes on, records what happened and says where: prints
go to stderr, `exit()` and endless loops end in an error, and so does a crash. Messages are pickled, each behind its
length; the code has the user's rights, as the parent has.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import struct
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NoReturn, TextIO, TypeVar

from quantlab.base.errors import ConfigError, DataError, QuantlabError, StrategyError
from quantlab.base.platform import STOP_SIGNALS
from quantlab.base.remedies import Setting
from quantlab.trading.strategies.checking import check, question_of
from quantlab.trading.strategies.parameters import Parameter, parameters_of, resolved, written
from quantlab.trading.strategies.strategy import View, error_line, line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quantlab.trading.market import Prices
    from quantlab.trading.strategies.base import Bars
    from quantlab.trading.strategies.decisions import Decisions
    from quantlab.trading.strategies.parameters import Value
    from quantlab.trading.strategies.source import Source
    from quantlab.trading.strategies.strategy import Strategy

T = TypeVar("T")
LENGTH = struct.Struct("<Q")
GRACE = 1.0
"""Seconds that code which does not let itself be interrupted is given before its process ends."""
_AGAIN_EVERY = 0.05
_ERRORS = (ConfigError, DataError, StrategyError)
_THREADS_GRACE = 0.5


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What a strategy's code says of itself.

    Attributes:
        rule: Its docstring: the module's, else the function's.
        parameters: What it takes.
        values: A value for each of them, defaults included.
        min_bars: Bars on whose signals nothing is done.
        fewest: Bars that there must be in all.
    """

    rule: str
    parameters: tuple[Parameter, ...]
    values: dict[str, Value]
    min_bars: int
    fewest: int


@dataclass(frozen=True, kw_only=True)
class WorkerAnswer:
    """A strategy's decisions, and what their check came to.

    Attributes:
        decisions: One a bar.
        cuts: How many times it was asked with fewer bars; None where it was not checked.
        signals: Bars on which it enters or leaves.
        futures: How many times it was asked with another future.
        thinned: Why it was asked less often than usual.
    """

    decisions: Decisions
    cuts: int | None
    signals: int
    futures: int = 0
    thinned: str | None = None


TOO_SLOW = (
    "; expected an answer within ",
    Setting("strategy_seconds"),
    ". Make it faster, or give it more.",
)
"""What is told of a strategy that did not answer in time."""


class TooSlowError(BaseException):
    """A call took longer than it may; no `except Exception` of the user's catches it."""


class Served:
    """One strategy, as its parent asks for it."""

    def __init__(self, source: Source, seconds: float) -> None:
        self._source = source
        self._limit = _Limit(seconds)
        self._strategy: Strategy | None = None

    def load(self, given: Mapping[str, object] | None) -> Loaded:
        """Load the code and give its parameters values; None asks for what it says of itself alone."""
        strategy = self._strategy = self._limit.within(self._source.strategy)
        function = written(strategy.decide)
        code = getattr(function, "__code__", None)
        line = "" if code is None else f", line {code.co_firstlineno}"
        where = f"{os.path.basename(self._source.place)}{line}"  # noqa: PTH119 - of a package it is a module's name
        parameters = parameters_of(strategy.decide, where)
        module = sys.modules.get(function.__module__)
        rule = getattr(module, "__doc__", None) or function.__doc__ or ""
        return Loaded(
            rule=rule.strip(),
            parameters=parameters,
            values={} if given is None else resolved(parameters, given, strategy.name),
            min_bars=strategy.min_bars,
            fewest=max(strategy.min_bars, strategy.min_history),
        )

    def decide(
        self, prices: Prices, values: Mapping[str, Value], *, checked: bool, seed: int
    ) -> WorkerAnswer:
        """Ask for decisions, and hold them to the check."""
        first = self._strategy or self._limit.within(self._source.strategy)
        self._strategy = None
        first.require_enough(len(prices))
        view = View.of(prices)
        if not len(view.bars):
            return WorkerAnswer(decisions=view.placed(None), cuts=None, signals=0)
        ready = [first]

        def fresh() -> Callable[[Bars], Decisions]:
            strategy = ready.pop() if ready else self._limit.within(self._source.strategy)
            ask = question_of(strategy.asked, values)
            return lambda bars: self._limit.within(lambda: ask(bars))

        if not checked:
            decisions = fresh()(view.bars)
            return WorkerAnswer(decisions=view.placed(decisions), cuts=None, signals=_count(decisions))
        found = check(fresh, view.bars, name=first.name, least=first.min_bars, seed=seed)
        return WorkerAnswer(
            decisions=view.placed(found.decisions),
            cuts=found.cuts,
            futures=found.futures,
            signals=found.signals,
            thinned=found.thinned,
        )


class _Limit:
    """Lets a call take so long and no longer, and start nothing that outlives it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._inside = False
        self._failed: list[str] = []
        signal.signal(signal.SIGALRM, self._interrupt)
        threading.excepthook = lambda failed: self._failed.append(
            error_line(failed.exc_value or RuntimeError("failed"))
        )

    def within(self, call: Callable[[], T]) -> T:
        """Call, and refuse what takes too long.

        Raises:
            StrategyError: it did, or it left a thread that goes on.
        """
        before = set(threading.enumerate())
        faulthandler.dump_traceback_later(self._seconds + GRACE, exit=True, file=_dump())
        self._inside = True
        signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN_EVERY)
        try:
            result = call()
        finally:
            self._inside = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            sys.stdout.flush()
        self._require_quiet(before)
        return result

    def _interrupt(self, _number: int, _frame: object) -> None:
        if self._inside:
            raise TooSlowError(f"took longer than {self._seconds:g} s")

    def _require_quiet(self, before: set[threading.Thread]) -> None:
        left = [one for one in threading.enumerate() if one not in before and not one.daemon]
        for one in left:
            one.join(_THREADS_GRACE)
        alive = [one.name for one in left if one.is_alive()]
        if alive:
            raise StrategyError(
                f"The strategy left {len(alive)} thread(s) running ({', '.join(alive)[:100]}); "
                "expected a function that is over when it returns. Join what it starts."
            )
        if self._failed:
            raise StrategyError(f"A thread of the strategy failed: {self._failed[0]}. Correct the strategy.")


def send(stream: IO[bytes], message: object) -> None:
    """Write a message behind its length."""
    data = pickle.dumps(message, protocol=5)
    stream.write(LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def main(dump: int) -> NoReturn:
    """Serve the parent until it hangs up.

    Args:
        dump: Where a crash tells the line that it came from.
    """
    _dump_to.append(dump)
    asked, answered = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)  # prints must not be read as answers
    for one in STOP_SIGNALS:
        signal.signal(one, signal.SIG_IGN)  # the parent decides
    faulthandler.enable(file=dump)
    leave, os._exit = os._exit, _left  # type: ignore[assignment]
    source, seconds = pickle.loads(asked.read(LENGTH.unpack(asked.read(LENGTH.size))[0]))  # noqa: S301 - our parent's
    served = Served(source, seconds)
    while head := asked.read(LENGTH.size):
        name, given = pickle.loads(asked.read(LENGTH.unpack(head)[0]))  # noqa: S301
        try:
            send(answered, _answer(served, source, name, given))
        except BrokenPipeError:
            leave(0)  # the parent was stopped while we worked: nobody asks any more
    leave(0)


def _answer(served: Served, source: Source, name: str, given: Mapping[str, object]) -> tuple[str, object]:
    try:
        return "ok", getattr(served, name)(**given)
    except _ERRORS as error:
        return type(error).__name__, error.args
    except TooSlowError as error:
        line = line_of(error, source.file_names)
        at = "" if line is None else f" (at {line})"
        return StrategyError.__name__, (f"Strategy {source.name} {error}{at}", *TOO_SLOW)
    except BaseException as error:  # noqa: BLE001 - a strategy may raise anything
        what = str(error) if isinstance(error, QuantlabError) else error_line(error, source.file_names)
        return StrategyError.__name__, (f"Strategy {source.name} failed: {what}. Correct the strategy.",)


_dump_to: list[int] = []


def _dump() -> int | TextIO:
    return _dump_to[0] if _dump_to else sys.stderr


def _left(code: int) -> NoReturn:
    raise SystemExit(code)


def _count(decisions: Decisions) -> int:
    return int((decisions.enter | decisions.leave).sum())
