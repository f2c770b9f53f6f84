"""`python follower.py NAME`: attaches to a job as another notebook does, in the folder it is started in, to its end.

A process of its own can be given a network, names and credentials of its own.
"""

from __future__ import annotations

import sys

from kube_magics.jobs import defaults
from kube_magics.jobs.attach import attach
from kube_magics.jobs.submit import place


def main() -> None:
    backend = place(defaults.spec({}))
    job = attach(backend, sys.argv[1], {})
    print(job.log_path, flush=True)
    job.wait()
    assert job.screen is not None
    for piece in job.screen.take(last=True):
        if isinstance(piece, tuple):
            print(piece[1], end="", file=sys.stderr)


if __name__ == "__main__":
    main()
