"""Whether the cluster would take a job of ours: what it said to one that was only tried (a dry run)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kube_magics.doctor.line import BROKEN, DEGRADED, Line, of_error, ok
from kube_magics.errors import ClusterError

ENFORCE = "pod-security.kubernetes.io/enforce"
_VIOLATED = re.compile(r'would violate PodSecurity "([a-z]+)')


def job(error: ClusterError | None, image: str, asked: str) -> Line:
    """Of the default Job; `asked`: what it asks for, in words."""
    if error is not None:
        return of_error("job", error)
    return ok("job", f"one with your defaults would be taken ({image}, {asked})")


def pod_security(labels: Mapping[str, str] | None, said: Sequence[str]) -> Line:
    """`labels` are the namespace's, None where they may not be read; `said` are the dry run's warnings."""
    level = None if labels is None else labels.get(ENFORCE, "privileged")
    violated = next((match[1] for text in said if (match := _VIOLATED.search(text))), None)
    shown = "not shown to you" if level is None else f"{level} is enforced"
    if violated is None:
        return ok("Pod Security", f"{shown}; our pods pass")
    words = "\n".join(text for text in said if _VIOLATED.search(text))
    fix = "%kube config run-as=   (takes a default away that the level forbids), or ask your administrator"
    if level is not None and level != violated:
        what = f"{shown}, and {violated} is asked for by a warning only: our pods do not pass that."
        return Line(DEGRADED, "Pod Security", what, fix, words)
    return Line(BROKEN, "Pod Security", f"Our pods do not pass {violated}: none would start.", fix, words)


def others(said: Sequence[str]) -> list[str]:
    """The warnings that are not Pod Security's."""
    return [text for text in said if not _VIOLATED.search(text)]
