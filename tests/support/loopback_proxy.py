"""A loopback proxy in front of a made-up market: it ends each TLS tunnel itself and answers in the market's name.

Its certificate is of an authority made for the occasion, so programs need nothing but the environment.
"""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import trustme

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class LoopbackProxy:
    """The server, running while its `with` block lasts.

    Args:
        bundle: Where the authority's certificate is written.
        hosts: The names that are answered for.
        handler: What answers.

    Attributes:
        now: The server's present in seconds since 1970.
        skew: Seconds that the clock in its answers' heads is ahead of that.
    """

    now: float
    skew: float

    def __init__(self, bundle: Path, hosts: Sequence[str], handler: type[TunnelHandler]) -> None:
        self._bundle = bundle
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(bundle))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.set_alpn_protocols(["http/1.1"])
        authority.issue_cert(*hosts).configure_cert(self.tls)
        self._server = _Server(self, handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that lead a program here."""
        bundle = dict.fromkeys(("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(self._bundle))
        return {**proxied(self.port), **bundle}


def proxied(port: int) -> dict[str, str]:
    """Return the variables that send all traffic to a port of this machine."""
    proxy = f"http://127.0.0.1:{port}"
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    return {**dict.fromkeys(names, proxy), "NO_PROXY": "", "no_proxy": ""}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: LoopbackProxy, handler: type[TunnelHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up or distrust the certificate are what is tested."""


class TunnelHandler(BaseHTTPRequestHandler):
    """Answers what comes through a tunnel; `host` is the name that the program asked for."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    host = ""

    @property
    def proxy(self) -> LoopbackProxy:
        assert isinstance(self.server, _Server)
        return self.server.proxy

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.proxy.now + self.proxy.skew if timestamp is None else timestamp)

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200, "Connection established")
        self.end_headers()
        self.rfile.close()
        self.wfile.close()
        self.connection = self.proxy.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()
