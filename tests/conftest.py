"""What all tests stand on: no network but loopback, no home folder, and a PostgreSQL server where one is to be had."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from support.fork_server import Server
from support.lanes import refuse_process, sort_into_lanes, without_processes
from support.postgres_server import NoServerError, named_url, own_schema, start_own

import quantlab.cli.main  # noqa: F401 - errors of every room read as the command line spells them
from quantlab.ledger.location import Location, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_HOME = os.path.realpath(Path.home())
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")
CLOSED_PROXY = "http://127.0.0.1:9"
NO_SERVER = pytest.StashKey[str]()
_FILE_EVENTS = frozenset({"open", "os.mkdir", "os.listdir", "os.scandir", "os.remove", "os.rename"})
_NETWORK_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto"})

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background ignores Ctrl-C for them, and so would every program under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Point tests and the processes that they start at a home of their own, and away from the network."""
    home = tempfile.TemporaryDirectory(prefix="quantlab-home-")
    config.add_cleanup(home.cleanup)
    allowed = tuple(os.path.realpath(path) for path in _allowed() if path)
    for name in [name for name in os.environ if _is_of_the_program(name) or name in _UNSET]:
        del os.environ[name]
    os.environ["HOME"] = home.name
    os.environ["MPLCONFIGDIR"] = str(Path(home.name) / "matplotlib")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = os.environ[name.lower()] = CLOSED_PROXY
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"
    _guard(allowed)
    # How long an example takes, or the first import in it, is the machine's affair.
    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes `--numprocesses auto` starts: more than cores, for tests wait a third of their time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + (cores + 1) // 2


@pytest.hookimpl(tryfirst=True)  # before what deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the lanes that it runs in."""
    sort_into_lanes(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """See to it that a test of the fast lane has no process but its own."""
    _running[0] = without_processes(item)
    try:
        return (yield)
    finally:
        _running[0] = False


_running = [False]
"""Whether a test runs that may start no process."""
_UNSET = frozenset(
    {"NO_COLOR", "FORCE_COLOR", "PYTHONUNBUFFERED"}
    | {f"XDG_{kind}_HOME" for kind in ("CONFIG", "CACHE", "DATA", "STATE")}
)


def _is_of_the_program(name: str) -> bool:
    """Tell a variable that the program would take an option from; those that name the tests' server stay."""
    return name.startswith("QUANTLAB_") and not name.startswith("QUANTLAB_TEST_")


def _allowed() -> list[str]:
    """Name the folders that tests need although they may lie in the real home: this checkout and Python."""
    return [str(REPOSITORY), sys.prefix, sys.base_prefix, tempfile.gettempdir(), *sys.path]


def _guard(allowed: tuple[str, ...]) -> None:
    inside_home = (REAL_HOME + os.sep, *(() if os.sep == REAL_HOME else (REAL_HOME,)))
    guarded = REAL_HOME not in {os.sep, "/nonexistent"}

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if _running[0]:
            refuse_process(event)
        if event in _NETWORK_EVENTS:
            _refuse_network(event, arguments)
        elif guarded and event in _FILE_EVENTS and isinstance(arguments[0], str):
            path = os.path.abspath(arguments[0])  # noqa: PTH100 - runs at every open: pathlib is too slow
            if path.startswith(inside_home) and not path.startswith(allowed):
                raise PermissionError(f"A test touched the home folder: {event} {path}")

    sys.addaudithook(audit)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    is_socket_file = event != "socket.getaddrinfo" and not isinstance(address, tuple)
    if host is None or host == "" or is_socket_file or str(host).startswith(LOOPBACK):
        return
    raise PermissionError(f"A test reached for the network: {event} {host}")


@pytest.fixture(scope="session")
def postgres_server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Lead to a server: the one that is named, else one of the tests' own; skip loudly where none is to be had."""
    named = named_url()
    if named is not None:
        yield named
        return
    try:
        server = start_own()
    except NoServerError as error:
        request.config.stash[NO_SERVER] = str(error)
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server.url()
    server.remove()


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """Lead to an empty schema of this test's own."""
    with own_schema(postgres_server_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    """Name an empty ledger's place, on each engine in turn."""
    if request.param == "sqlite":
        return locate(tmp_path, None)
    return locate(tmp_path, request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the fork server that all drills share: what it imports, it imports once."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say aloud that PostgreSQL was not tested."""
    reason = config.stash.get(NO_SERVER, None)
    if reason is not None:
        terminalreporter.write_line(
            f"WARNING: nothing was tested on PostgreSQL. {reason}", red=True, bold=True
        )
