"""kube_magics: a notebook cell becomes a GPU training Job on Kubernetes, live under the cell.

    %load_ext kube_magics
    %%kubetrain --gpus 1 --returns model

The front door. Each name is imported when it is first used, so that loading costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kube_magics.version import VERSION

if TYPE_CHECKING:
    from kube_magics.jobs.job import Job
    from kube_magics.jobs.together import wait_all
    from kube_magics.jobs.train import remote, train
    from kube_magics.magics.dashboard import Dashboard
    from kube_magics.runner.report import report, should_stop

__version__ = VERSION
__all__ = ["Dashboard", "Job", "load_ipython_extension", "remote", "report", "should_stop", "train", "wait_all"]

_HOMES = {
    "Dashboard": "kube_magics.magics.dashboard",
    "Job": "kube_magics.jobs.job",
    "remote": "kube_magics.jobs.train",
    "report": "kube_magics.runner.report",
    "should_stop": "kube_magics.runner.report",
    "train": "kube_magics.jobs.train",
    "wait_all": "kube_magics.jobs.together",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext kube_magics`."""
    from kube_magics.magics.register import register

    register(shell)
