"""Tell systemd, where it started this process, that it is ready, alive, and how it stands (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

_ADDRESS = "NOTIFY_SOCKET"


def notify(**states: str) -> None:
    """Send states such as `READY="1"`; without a service manager nothing happens, and a failure never matters."""
    address = os.environ.get(_ADDRESS)
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):  # an abstract socket of Linux
        address = f"\0{address[1:]}"
    message = "\n".join(f"{name}={value}" for name, value in states.items())
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(message.encode(), address)
