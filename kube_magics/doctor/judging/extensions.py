"""What else is installed in the cluster, by the groups of its API."""

from __future__ import annotations

from collections.abc import Mapping

from kube_magics.doctor.line import Line, degraded, ok

GROUPS: Mapping[str, str] = {
    "kueue.x-k8s.io": "Kueue",
    "jobset.x-k8s.io": "JobSet",
    "trainer.kubeflow.org": "Kubeflow Trainer",
    "kubeflow.org": "Kubeflow Training Operator",
    "serving.kserve.io": "KServe",
    "resource.k8s.io": "DRA",
    "security.openshift.io": "OpenShift",
}
"""None of them is needed."""


def found(groups: Mapping[str, str], queue: str | None) -> list[Line]:
    """`groups`: API group → preferred version; `queue`: the one that jobs ask for by default."""
    there = [f"{name} ({groups[group]})" for group, name in GROUPS.items() if group in groups]
    absent = [name for group, name in GROUPS.items() if group not in groups]
    text = "; ".join(
        filter(
            None, [f"found: {', '.join(there)}" if there else "", f"not there: {', '.join(absent)}" if absent else ""]
        )
    )
    lines = [ok("extensions", text)]
    if queue and "kueue.x-k8s.io" not in groups:
        what = f"Jobs are sent to the queue {queue}, and there is no Kueue here: the label does nothing."
        lines.append(degraded("extensions", what, "%kube config queue=   (takes it back)"))
    return lines
