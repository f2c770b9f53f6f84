"""Writing to the container's log: no line is lost, doubled or torn, and a stalled reader does not stop the runner."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HIGH_WATER_BYTES = 256 * 1024
"""With more than this waiting for a slow reader, the pipes are not read, so that the user's program waits too."""


class Output:
    """A file descriptor that everything is written to, in order. What it does not take yet waits."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.broken = False
        """Its reader is gone: what is written is dropped, and the program goes on."""
        self._pending: list[memoryview] = []
        self._size = 0
        mode = os.fstat(fd).st_mode
        self.pollable = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
        """A pipe is made non-blocking: a reader that has stalled must not keep us from signals and time limits."""
        if self.pollable:
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)

    @property
    def waiting(self) -> bool:
        return bool(self._pending)

    @property
    def full(self) -> bool:
        return self._size > HIGH_WATER_BYTES

    def write(self, data: bytes) -> None:
        if self.broken or not data:
            return
        view = memoryview(data)
        if not self._pending:
            view = view[self._try(view) :]
        if view and not self.broken:
            self._pending.append(view)
            self._size += len(view)

    def flush(self) -> None:
        """Write as much of what waits as is taken now."""
        while self._pending:
            first = self._pending[0]
            written = self._try(first)
            if self.broken:
                self._pending.clear()
                self._size = 0
                return
            self._size -= written
            if written < len(first):
                self._pending[0] = first[written:]
                return
            del self._pending[0]

    def drain(self, patience_s: float, now: Callable[[], float]) -> bool:
        """Wait until everything is written, but no longer than `patience_s` without any progress."""
        last, since = self._size, now()
        self.flush()
        while self._pending and now() - since < patience_s:
            poll = select.poll()
            if self.pollable:
                poll.register(self.fd, select.POLLOUT)
            poll.poll(250)
            self.flush()
            if self._size != last:
                last, since = self._size, now()
        return not self._pending

    def _try(self, view: memoryview) -> int:
        """Write until all is taken or no more is taken now; how many bytes were."""
        done = 0
        while done < len(view):
            try:
                done += os.write(self.fd, view[done:])
            except OSError as error:
                # A full disk is a reader that is slow: space may come back, and the time limit holds meanwhile.
                if error.errno not in (errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EINTR):
                    self.broken = True
                break
        return done
