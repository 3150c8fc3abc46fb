"""A strategy whose code runs in a process of its own: loaded before a session exists, asked once it has prices."""

from __future__ import annotations

import os
import pickle
import re
import select
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import quantlab
from quantlab.base.errors import ConfigError, DataError, StrategyError
from quantlab.trading.strategies.worker import LENGTH, TOO_SLOW, send

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from quantlab.trading.market import Prices
    from quantlab.trading.strategies.parameters import Value
    from quantlab.trading.strategies.source import Source
    from quantlab.trading.strategies.worker import Loaded, WorkerAnswer

SECONDS = 60.0
"""How long one call of a strategy may take unless `--strategy-seconds` says otherwise."""
_LOOK_EVERY = 0.2
_ERRORS = {one.__name__: one for one in (ConfigError, DataError, StrategyError)}
_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from quantlab.trading.strategies.worker import main; main(int(sys.argv[2]))"
)


def _nothing() -> None:
    """Do nothing between two looks."""


class Apart:
    """A strategy in a process of its own.

    Args:
        source: Its code.
        seconds: How long one call may take.
        between: Called several times a second while an answer is awaited; may stop it by raising.
    """

    def __init__(
        self, source: Source, *, seconds: float = SECONDS, between: Callable[[], None] = _nothing
    ) -> None:
        self.source = source
        self.between = between
        self._dump = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is
        self._process = self._begun(self._dump.fileno())
        self._hand_over((source, seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, given: Mapping[str, object]) -> Loaded:
        """Load the code and give its parameters values.

        Raises:
            ConfigError: a parameter is unknown, missing or out of range.
            StrategyError: the code can't be loaded.
        """
        loaded: Loaded = self._ask("load", given=dict(given))
        return loaded

    def describe(self) -> Loaded:
        """Load the code and return what it says of itself, whether or not its parameters have values.

        Raises:
            StrategyError: the code can't be loaded.
        """
        loaded: Loaded = self._ask("load", given=None)
        return loaded

    def decide(
        self, prices: Prices, values: Mapping[str, Value], *, checked: bool = True, seed: int = 1
    ) -> WorkerAnswer:
        """Return its decisions.

        Raises:
            DataError: there are fewer bars than it demands.
            StrategyError: it failed, answered something else than one signal a bar, or knows the future.
        """
        answer: WorkerAnswer = self._ask(
            "decide", prices=prices, values=dict(values), checked=checked, seed=seed
        )
        return answer

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was not read by a process that died
                    stream.close()
        self._dump.close()

    def _begun(self, dump: int) -> subprocess.Popen[bytes]:
        # -P: what lies beside the strategy, or in the working folder, is no package.
        words = [sys.executable, "-P", "-c", _START, str(Path(quantlab.__file__).parent.parent), str(dump)]
        return subprocess.Popen(  # noqa: S603 - our own program
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[dump]
        )

    def _ask(self, name: str, **given: Any) -> Any:
        self._hand_over((name, given))
        head = self._read(LENGTH.size)
        told, answer = pickle.loads(self._read(LENGTH.unpack(head)[0]))  # noqa: S301 - from code with our own rights
        if told != "ok":
            raise _ERRORS[told](*answer)
        return answer

    def _hand_over(self, message: object) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise ValueError("the process has no standard input")
        try:
            send(stdin, message)
        except BrokenPipeError:
            raise self._died() from None

    def _read(self, count: int) -> bytes:
        stdout = self._process.stdout
        if stdout is None:
            raise ValueError("the process has no standard output")
        data = bytearray()
        while len(data) < count:
            ready, _, _ = select.select([stdout], [], [], _LOOK_EVERY)
            self.between()
            part = os.read(stdout.fileno(), min(count - len(data), 1 << 20)) if ready else None
            if part == b"":
                raise self._died()
            data += part or b""
        return bytes(data)

    def _died(self) -> StrategyError:
        code = self._process.wait()
        self._dump.seek(0)
        dump = self._dump.read().decode(errors="replace")
        mine = "|".join(re.escape(name) for name in self.source.file_names) or "$^"
        lines = re.findall(rf'File "({mine})", line (\d+)', dump)
        at = f" (at {Path(lines[0][0]).name}, line {lines[0][1]})" if lines else ""
        if dump.startswith("Timeout"):
            return StrategyError(f"Strategy {self.source.name} took too long{at}", *TOO_SLOW)
        if code < 0:
            name = signal.Signals(-code).name
            why = ", as the system does when memory is short" if name == "SIGKILL" else ""
            how = f"ended its process by {name}{why}{at}. Correct the strategy."
        else:
            how = f"left its process with code {code}{at}. Correct the strategy."
        return StrategyError(f"Strategy {self.source.name} {how}")
