"""What to type for a Job that was made without our options: the fields of its YAML that they stand for."""

from __future__ import annotations

import re

from kube_magics.telemetry.causes.evictions import AGAIN

_FIELDS = {
    "image-pull-secret": "imagePullSecrets",
    "image": "image",
    "node-selector": "nodeSelector",
    "toleration": "tolerations",
    "service-account": "serviceAccountName",
    "priority": "priorityClassName",
    "queue": "kueue.x-k8s.io/queue-name",
    "memory": "resources.limits.memory",
    "cpus": "resources.requests.cpu",
    "gpus": "resources.limits of GPUs",
    "shm": "emptyDir (medium: Memory) at /dev/shm",
    "timeout": "activeDeadlineSeconds",
    "run-as": "securityContext.runAsUser",
    "read-only-root": "securityContext.readOnlyRootFilesystem",
    "python": "command",
    "secret": "secretKeyRef",
    "volume": "volume",
    "cache": "volume",
    "env": "env",
    "namespace": "namespace",
}
_OPTION = re.compile(r"--([a-z][a-z-]*[a-z])\b(?! merge)")
_PIP = re.compile(r'--pip ("[^"]+")(?:   \(or an --image that has it[^)]*\))?')


def fields(fix: str) -> str:
    """`fix` in the words of YAML; what it tells to type of `%kube` stays."""
    told = _OPTION.sub(lambda found: _FIELDS.get(found[1], found[0]), _PIP.sub(r"an image with \1 in it", fix))
    return told.replace(" (or KUBE_MAGICS_IMAGE)", "").replace(AGAIN, "make the job again") + _from(fix, told)


def _from(fix: str, told: str) -> str:
    changed = _OPTION.search(fix) is not None and "%kube yaml" not in told and told != fix
    return "   (in its YAML: %kube yaml NAME)" if changed else ""
