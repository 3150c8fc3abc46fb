"""Waiting for an answer no longer than is bearable, whatever the other side does."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """Ask in a thread of its own, which is left behind where no answer comes; raise what it raised.

    A socket's timeout bounds each read alone: who sends a byte a second is never over it.

    Raises:
        TimeoutError: there was none for so long.
    """
    answers: queue.SimpleQueue[tuple[T] | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((ask(),))
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting thread
            answers.put(error)

    threading.Thread(target=work, name="asking", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer[0]
