"""pgbouncer between a test and its PostgreSQL server, in transaction mode, on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from support.postgres_server import PASSWORD, _free_port, _unprivileged, plain

PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")


def find_pgbouncer() -> str | None:
    """Return the program, which Debian puts where a user's PATH does not lead."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path=os.pathsep.join(PLACES))


class Pooler:
    """A pgbouncer of the tests' own.

    Args:
        program: Where it is.
        server_url: The server behind it.
        settings: Lines of its configuration besides.
    """

    def __init__(self, program: str, server_url: str, settings: str = "") -> None:
        self.port = _free_port()
        self._server = make_url(server_url)
        self.folder = Path(tempfile.mkdtemp(prefix="quantlab-bouncer-"))
        identity: dict[str, Any] = _unprivileged()
        (self.folder / "users").write_text(
            f'"{self._server.username}" "{self._server.password or PASSWORD}"\n'
        )
        (self.folder / "ini").write_text(
            f"""\
[databases]
* = host={self._server.host} port={self._server.port or 5432}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {self.folder / "users"}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
{settings}
"""
        )
        for path in (self.folder, *self.folder.iterdir()):
            if identity:
                os.chown(path, identity["user"], identity["group"])
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, str(self.folder / "ini")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **identity,
            )
        self._wait()

    def url(self, query: str = "") -> str:
        """Return the URL by which QuantLab reaches the server through it."""
        through = self._server.set(host="127.0.0.1", port=self.port).update_query_string("")
        text = through.set(query={}).render_as_string(hide_password=False)
        return f"{text}?{query}" if query else text

    def stop(self) -> None:
        """End it, and leave nothing."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return


def ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Ask the server itself."""
    with psycopg.connect(plain(url), autocommit=True) as server:
        cursor = server.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
