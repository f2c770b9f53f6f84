"""The signals that the runner passes on, and from when on it hears them.

A signal that comes while the job is still being started waits: the first process of a container would lose it, since
what it does not handle is not even delivered; any other would die without a last word.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as low
    from collections.abc import Callable
    from typing import Any
else:
    try:
        import _signal as low  # signal without its enumerations, which cost 5 ms
    except ImportError:
        import signal as low

SIGINT, SIGTERM, SIGKILL, SIGCHLD = int(low.SIGINT), int(low.SIGTERM), int(low.SIGKILL), int(low.SIGCHLD)
STOPPING = (SIGTERM, SIGINT)
FORWARDED = (*STOPPING, int(low.SIGHUP), int(low.SIGUSR1), int(low.SIGUSR2))
IGNORED = (int(low.SIGPIPE), int(low.SIGXFSZ))
"""By Python; and ignoring is inherited."""


def hold() -> None:
    """Until `hear`; `runner/boot.py` has begun with it. Processes that are started meanwhile get none of it."""
    low.pthread_sigmask(low.SIG_BLOCK, FORWARDED)


def hear(note: Callable[[int, Any], None], wakeup: int) -> None:
    """From now on `note` is called, also with what has waited; a byte is written to the descriptor `wakeup`."""
    low.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    for number in (*FORWARDED, SIGCHLD):
        low.signal(number, note)
    low.pthread_sigmask(low.SIG_UNBLOCK, FORWARDED)
