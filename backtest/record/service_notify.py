"""Tells the service manager that the recorder works: ``READY=1``, then ``WATCHDOG=1`` with a line of status.

The protocol of sd_notify: one datagram a message to the socket that ``NOTIFY_SOCKET`` names, in which ``@`` begins an
abstract name.  Without the variable nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*lines: str) -> bool:
    """Send ``lines`` to the service manager; return whether there is one.  An error is no reason to stop recording."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return False
    address = "\0" + name[1:] if name.startswith("@") else name
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto("\n".join(lines).encode(), address)
        return True
    return False
