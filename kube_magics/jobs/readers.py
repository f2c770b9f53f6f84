"""Who of this user's kernels reads what a job has in a store: whoever is last clears it away.

By locks of the submission's record, which end with their process. Where there is no record, or no such locks (Windows,
some network's homes), whoever is first clears it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from kube_magics.jobs import records


@contextmanager
def reading(submission_id: str | None) -> Iterator[None]:
    """Meanwhile nothing is cleared."""
    with ExitStack() as stack:
        _lock(stack, submission_id, alone=False)
        yield


def unless_read(submission_id: str | None, clear: Callable[[], None]) -> None:
    """Clear, unless somebody else reads, who clears then."""
    with ExitStack() as stack:
        if _lock(stack, submission_id, alone=True):
            clear()


def _lock(stack: ExitStack, submission_id: str | None, *, alone: bool) -> bool:
    """False: others have it."""
    path = records.file_of(submission_id) if submission_id else None
    if path is None or os.name != "posix":
        return True
    from kube_magics.backends.localrunner import lock

    with suppress(OSError):
        return lock(stack.enter_context(path.open("r+b")), alone=alone)
    return True
