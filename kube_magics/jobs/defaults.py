"""The defaults of this process: what `%kube config` has set, the environment, and IPython's configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from kube_magics.jobs import here
from kube_magics.manifests.demands import demand
from kube_magics.spec import defaults, limits
from kube_magics.spec.defaults import CONFIG, IPYTHON, Place
from kube_magics.spec.job import JobSpec

configured: dict[str, str] = {}
"""What `%kube config NAME=VALUE` has set in this process, as it was typed, by field."""


def places() -> list[Place]:
    """Where values may come from, but for the line itself; the nearest first."""
    return [
        Place(CONFIG, dict(configured)),
        defaults.from_environment(os.environ),
        Place(IPYTHON, here.configuration()),
    ]


def spec(given: Mapping[str, Any], fields: Iterable[str] | None = None) -> JobSpec:
    """The job of a line that gives `given`; see `spec.defaults.resolved`. Raises OptionError for a wrong default."""
    return defaults.resolved(given, places(), fields)


def allow(asked: JobSpec) -> None:
    """Raises NotAllowed for what the site forbids."""
    limits.check(asked, defaults.rules(places()))


def allow_object(body: Mapping[str, Any], what: str) -> None:
    """The same of an object of a file; `what` names it."""
    if (asked := demand(body)) is not None:
        limits.check_demand(asked, defaults.rules(places()), of=what)
