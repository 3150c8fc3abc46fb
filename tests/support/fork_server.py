"""A process with everything imported that forks a child for each task: a session then starts in milliseconds.

Speaks JSON Lines: a request on stdin, its answer on stdout. The client is `Server`, below; tasks are the functions of
`fault_tasks`, run in a child that has its own folder, umask, limits and output files, and that may be killed at will.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from support.permissions import have_permissions_bind

CHECKOUT = Path(__file__).resolve().parents[2]
TELLING_SECONDS = 0.5
"""How long a child that hangs has to tell where it is."""


@dataclass(frozen=True)
class Done:
    """How a child ended.

    Attributes:
        code: Its exit code; minus the signal's number where one killed it.
        hung: Whether it had to be killed because its time was up; `err` ends with where it was then.
    """

    code: int
    out: str
    err: str
    seconds: float
    hung: bool


class Child:
    """A forked task."""

    def __init__(self, server: Server, pid: int, scratch: Path) -> None:
        self.pid = pid
        self._server = server
        self._scratch = scratch
        self._began = time.monotonic()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; it has not been waited for yet, so its pid is still its own."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 60.0) -> Done:
        """Wait for its end; kill it when the time is up."""
        code, hung = self._server.ask({"wait": self.pid, "seconds": seconds})
        out, err = (_taken(self._scratch.with_suffix(f".{kind}")) for kind in ("out", "err"))
        return Done(code, out, err, time.monotonic() - self._began, hung)


def _taken(file: Path) -> str:
    """Return what a child wrote; one that was killed at once may not have made the file."""
    if not file.exists():
        return ""
    text = file.read_text(encoding="utf-8", errors="backslashreplace")
    file.unlink()
    return text


class Server:
    """The client's end."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = scratch
        self._count = 0
        environment = {
            # Unmeasured: coverage would write its files under the limits that the children are put under.
            **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests")]),
            "MPLCONFIGDIR": str(scratch),
            "OPENBLAS_NUM_THREADS": "1",
            "NO_COLOR": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=scratch,
        )

    def ask(self, request: dict[str, Any]) -> Any:
        """Send one request; returns its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(
        self,
        task: str,
        *arguments: Any,
        cwd: Path | None = None,
        umask: int = 0o022,
        file_bytes: int | None = None,
        memory_bytes: int | None = None,
        permissions_bind: bool = False,
    ) -> Child:
        """Fork a child that runs a function of `fault_tasks`.

        Args:
            task: The function's name.
            arguments: What it is called with, as JSON allows.
            cwd: Its folder.
            umask: Its umask.
            file_bytes: Largest file that it may write.
            memory_bytes: Address space that it may have beyond what it begins with.
            permissions_bind: Whether permissions bind it although it is root.
        """
        self._count += 1
        scratch = self._scratch / f"task{os.getpid()}-{self._count}"
        pid = self.ask(
            {
                "task": task,
                "arguments": arguments,
                "scratch": str(scratch),
                "cwd": str(cwd or self._scratch),
                "umask": umask,
                "file_bytes": file_bytes,
                "memory_bytes": memory_bytes,
                "permissions_bind": permissions_bind,
            }
        )
        return Child(self, pid, scratch)

    def run(self, *words: str, seconds: float = 60.0, **how: Any) -> Done:
        """Run a command line of quantlab to its end."""
        return self.start("command", list(words), **how).wait(seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _serve() -> None:
    from support import fault_tasks

    replies = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    errors = os.dup(2)
    os.dup2(1, 2)
    fault_tasks.warm_up()
    os.dup2(errors, 2)
    for line in sys.stdin:
        request = json.loads(line)
        answer = _wait(request) if "wait" in request else _fork(fault_tasks, request)
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


def _fork(tasks: Any, request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        _settle(request)
        code = getattr(tasks, request["task"])(*request["arguments"]) or 0
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as a second server
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _settle(request: dict[str, Any]) -> None:
    """Make the child what the request asks for."""
    os.chdir(request["cwd"])
    for number, kind in ((1, "out"), (2, "err")):
        handle = os.open(f"{request['scratch']}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.register(signal.SIGUSR1, file=sys.stderr)
    sys.argv = [str(CHECKOUT / "main.py")]
    os.umask(request["umask"])
    if request["file_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_bytes"],) * 2)
    if request["memory_bytes"] is not None:
        limit = _address_space() + request["memory_bytes"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if request["permissions_bind"]:
        have_permissions_bind()


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _wait(request: dict[str, Any]) -> tuple[int, bool]:
    deadline = time.monotonic() + request["seconds"]
    hung = False
    while True:
        pid, status = os.waitpid(request["wait"], os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), hung
        if time.monotonic() > deadline and not hung:
            hung = True
            os.kill(request["wait"], signal.SIGUSR1)
            time.sleep(TELLING_SECONDS)
            os.kill(request["wait"], signal.SIGKILL)
        time.sleep(0.001)


if __name__ == "__main__":
    _serve()
