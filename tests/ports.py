"""Ports for servers that have to be told one before they start."""

from __future__ import annotations

import random
import socket

# Below the range that outgoing connections take theirs from (32768 up), so that a port found free stays free; above
# those that the cluster's servers look for first.
_FIRST, _LAST = 24_000, 32_000


def free_port() -> int:
    """Free now on every address of this machine; another one for whoever asks at the same time, as good as always."""
    while True:
        port = random.randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError:
                continue
        return port
