"""Causes that one real cluster can have at once, and that disturb nobody: Jobs as kubectl makes them, each with what
`why` must say of it.

What is in a Job's way stands in its own manifest, in its namespace, or in rules and servers that `surroundings` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.acceptance.why.servers import Webhook

Manifest = dict[str, Any]
FREE, STRICT, COUNTED, BOUNDED = "free", "strict", "counted", "bounded"
"""Namespaces: nothing is forbidden; Pod Security `restricted`; a quota; a LimitRange."""
HOOK = "why.example.com/webhook"
"""Label of pods for which a webhook is asked: one that `answers`, or one that is `silent`."""


@dataclass(frozen=True)
class Planted:
    """One Job."""

    kind: str
    sentence: str
    """Part of it."""
    fix: str
    """Part of it."""
    job: Manifest
    where: str = FREE


def job(script: str | None = None, spec: Manifest | None = None, hook: str = "", **pod: Any) -> Manifest:
    """`script` of the image's Python; `pod`: fields of its spec, `container`: those of its container."""
    mine = {"name": "main", "image": "$IMAGE", "resources": {"requests": {"cpu": "1m"}}}
    mine |= {"command": ["python3", "-c", script]} if script is not None else {}
    container = {**mine, **pod.pop("container", {})}
    template = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **pod}
    labels = {"metadata": {"labels": {HOOK: hook}}} if hook else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {},
        "spec": {"backoffLimit": 0, **(spec or {}), "template": {**labels, "spec": template}},
    }


def asking(**requests: str) -> Manifest:
    named = {name.replace("gpus", "nvidia.com/gpu"): amount for name, amount in requests.items()}
    return job("", container={"resources": {"requests": named, "limits": named}})


def image(name: str, **more: Any) -> Manifest:
    return job("", container={"image": name, **more})


def mounting(volume: Manifest, path: str = "/data", script: str = "", **container: Any) -> Manifest:
    mounts = [{"name": "v", "mountPath": path}]
    return job(script, volumes=[{"name": "v", **volume}], container={"volumeMounts": mounts, **container})


def variable(of: str, name: str) -> Manifest:
    return job("", container={"env": [{"name": "X", "valueFrom": {of: {"name": name, "key": "k"}}}]})


LASTS = "import time\ntime.sleep(600)"
USER = {"runAsUser": 4711}
AFFINITY = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["nowhere"]}]}]}}}  # fmt: skip
GARBAGE = {
    "initContainers": [
        {
            "name": "makes",
            "image": "$IMAGE",
            "command": ["sh", "-c", "printf '\\177ELFnotreally' > /x/program && chmod +x /x/program"],
            "volumeMounts": [{"name": "x", "mountPath": "/x"}],
        }
    ],
    "volumes": [{"name": "x", "emptyDir": {}}],
}
LOADER = """
import torch
from torch.utils.data import DataLoader, Dataset
class Large(Dataset):
    def __len__(self): return 8
    def __getitem__(self, at): return torch.ones(32 << 20)
for batch in DataLoader(Large(), num_workers=2): pass
"""
PLANTED: Mapping[str, Planted] = {
    # no node
    "gpus-ever": Planted("unschedulable", "No node here has more than 8 GPUs", "of GPUs 8", asking(gpus="64")),
    "memory-ever": Planted("unschedulable", "of memory for jobs, and this one asks for", "resources.limits.memory", asking(memory="3Ti")),
    "cpus-ever": Planted("unschedulable", "cores for jobs, and this one asks for 900", "resources.requests.cpu", asking(cpu="900")),
    "product": Planted("unschedulable", "No node has the label nvidia.com/gpu.product=None-Such: nodes here have", "nodeSelector nvidia.com/gpu.product=", job("", nodeSelector={"nvidia.com/gpu.product": "None-Such"})),
    "selector": Planted("unschedulable", "No node has the label disk=ssd: none has that label at all.", "nodeSelector", job("", nodeSelector={"disk": "ssd"})),
    "affinity": Planted("unschedulable", "No node fits its node affinity or selector", "affinity", job("", affinity=AFFINITY)),
    "gated": Planted("unschedulable", "held back before any node is looked for, by example.com/later", "wait", job("", schedulingGates=[{"name": "example.com/later"}])),
    "no-claim": Planted("unschedulable", "There is no such claim", "volume", mounting({"persistentVolumeClaim": {"claimName": "absent"}})),
    "unbound-claim": Planted("unschedulable", "has no volume yet", "administrator", mounting({"persistentVolumeClaim": {"claimName": "unbound"}})),
    "claim-elsewhere": Planted("unschedulable", "volume of its claim", "volume", mounting({"persistentVolumeClaim": {"claimName": "elsewhere"}})),
    # no pod
    "quota": Planted("quota", "The namespace's quota does not allow this job.", "%kube jobs", asking(memory="64Mi", cpu="2"), COUNTED),
    "quota-wants": Planted("quota", "each pod must say what it asks for", "resources.requests.cpu SIZE", job("", container={"resources": {}}), COUNTED),
    "limit-range": Planted("limits", "allows a container at most 1Gi of memory", "resources.limits.memory 1Gi", asking(memory="2Gi"), BOUNDED),
    "limit-default": Planted("limits", "limits a container to 1Gi of memory, and this one asks for more", "resources.limits.memory 1Gi", job("", container={"resources": {"requests": {"memory": "2Gi"}}}), BOUNDED),
    "pod-security": Planted("policy", "Pod Security level refuses", "securityContext", job(""), STRICT),
    "admission-policy": Planted("policy", "A rule of this cluster (the policy why-", "administrator", job("", serviceAccountName="forbidden")),
    "webhook": Planted("policy", "A rule of this cluster (the webhook pods.answers.example.com) refuses", "administrator", job("", hook="answers")),
    "webhook-silent": Planted("refused", "The webhook pods.silent.example.com, which checks pods here, does not answer", "wait", job("", hook="silent")),
    "no-account": Planted("refused", "There is no service account absent", "serviceAccountName", job("", serviceAccountName="absent")),
    "no-priority": Planted("refused", "The cluster has no priority class absent.", "priorityClassName", job("", priorityClassName="absent")),
    # no image, no start
    "image-nowhere": Planted("image", "cannot be pulled", "correct image", image("absent.invalid/team/torch:1")),
    "image-absent": Planted("image", "its registry has no such image or tag", "correct image", image("$REGISTRY/team/absent:1")),
    "image-refused": Planted("image", "its registry refuses it to who asks so", "imagePullSecrets SECRET", image("$REGISTRY/team/private:1")),
    "image-secret": Planted("image", "its registry refuses it to who asks so", "is wrong in the namespace, and good for it?", job("", container={"image": "$REGISTRY/team/private:1"}, imagePullSecrets=[{"name": "wrong"}])),
    "image-of-arm": Planted("image", "not made for its node's processors", "kubernetes.io/arch=arm64", image("$REGISTRY/team/arm:1")),
    "image-silent": Planted("image", "its registry does not answer its node", "administrator", image("127.0.0.1:9/team/torch:1")),
    "image-malformed": Planted("image", "(InvalidImageName)", "correct image", image("Team Torch")),
    "image-never": Planted("image", "(ErrImageNeverPull)", "correct image", image("team/absent:1", imagePullPolicy="Never")),
    "no-program": Planted("start", "Its image has no such program.", "correct the image", job(container={"command": ["/none-such"]})),
    "root-image": Planted("start", "The image insists on root", "securityContext.runAsUser", job("", securityContext={"runAsNonRoot": True})),
    "no-configmap": Planted("start", "There is no ConfigMap absent", "%kube yaml", variable("configMapKeyRef", "absent")),
    "no-secret": Planted("start", "There is no Secret absent", "secretKeyRef", variable("secretKeyRef", "absent")),
    "no-key": Planted("start", "The Secret wrong has no key k", "secretKeyRef", variable("secretKeyRef", "wrong")),
    "no-configmap-volume": Planted("mount", "There is no ConfigMap absent", "make it", mounting({"configMap": {"name": "absent"}})),
    "no-secret-volume": Planted("mount", "There is no Secret absent", "make it", mounting({"secret": {"secretName": "absent"}})),
    "no-folder": Planted("mount", "cannot be mounted", "%kube delete", mounting({"hostPath": {"path": "/why/absent", "type": "Directory"}})),
    # ended
    "architecture": Planted("architecture", "built for other processors", "kubernetes.io/arch", job(container={"command": ["/x/program"], "volumeMounts": [{"name": "x", "mountPath": "/x"}]}, **GARBAGE)),
    "oom": Planted("oom", "killed at its memory limit", "resources.limits.memory", job("x = bytearray(900 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1", container={"resources": {"limits": {"memory": "64Mi"}}})),
    "killed": Planted("signal", "killed by signal 9", "%kube logs killed", job(container={"command": ["sh", "-c", "python3 -c 'import os; os.kill(os.getpid(), 9)'; exit $?"]})),
    "module": Planted("module", "It imports cv2, which is not installed there.", '"opencv-python-headless"', job("import cv2")),
    "read-only": Planted("read-only", "read-only", "readOnlyRootFilesystem", job("open('/x', 'w')", container={"securityContext": {"readOnlyRootFilesystem": True}})),
    "no-space": Planted("disk-full", "A disk that it writes to is full.", "volume", mounting({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}, script="f = open('/data/x', 'wb', 0)\nwhile True: f.write(bytes(1 << 20))")),
    "no-home": Planted("home", "It may not write to /.cache", "env HOME=/tmp", job("import os\nos.mkdir(os.path.expanduser('~/.cache'))", securityContext=USER)),
    "no-user-name": Planted("home", "no name in the image", "env USER=user", job("import os\nfor n in ('LOGNAME', 'USER', 'LNAME', 'USERNAME'): os.environ.pop(n, None)\nimport getpass\ngetpass.getuser()", securityContext=USER)),
    "bus-error": Planted("signal", "killed by signal 7", "/dev/shm", job("import mmap, os\nf = os.open('/dev/shm/x', os.O_RDWR | os.O_CREAT)\nos.ftruncate(f, 1 << 30)\nm = mmap.mmap(f, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1")),
    "data-loader": Planted("shared-memory", "Its processes had not enough shared memory (/dev/shm).", "/dev/shm 8Gi", job(LOADER, container={"image": "$TORCH"})),
    "deadline": Planted("deadline", "The job reached its deadline", "activeDeadlineSeconds", job(LASTS, spec={"activeDeadlineSeconds": 2})),
    "eviction": Planted("evicted", "It wrote more to its node's disk than a pod may here.", "volume", job("open('/tmp/x', 'wb').write(bytes(64 << 20))\nimport time\ntime.sleep(600)", container={"resources": {"limits": {"ephemeral-storage": "16Mi"}}})),
    "no-node-room": Planted("refused", "less room than the scheduler thought", "make the job again", job("", nodeName="$NODE", container={"resources": {"requests": {"cpu": "900"}}})),
    "suspended": Planted("suspended", "It is suspended", "kubectl patch job suspended", job("", spec={"suspend": True})),
    "again": Planted("restart", "It imports none_such_at_all", '"none_such_at_all"', job("import none_such_at_all", restartPolicy="OnFailure", spec={"backoffLimit": 6})),
    "exit-code": Planted("exit", "ended with exit code 3", "%kube logs exit-code", job("import sys\nsys.exit(3)")),
}  # fmt: skip
WELL: Mapping[str, tuple[str, Manifest]] = {
    "runs": ("Nothing is wrong: it runs since ", job(LASTS)),
    "has-ended": ("Nothing is wrong: it has succeeded", job("")),
    "caught": ("Nothing is wrong: it has succeeded", job("try:\n    import none_such\nexcept ImportError as error:\n    print(repr(error))")),
}  # fmt: skip


def surroundings(spaces: Mapping[str, str], webhook: Webhook) -> list[Manifest]:
    """What stands in the way, beside the Jobs; `spaces`: the names of the namespaces."""
    free = spaces[FREE]
    name = cluster_wide(free)
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": free}}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": only}
    hooks = [_hook("answers", only, webhook.url, webhook.bundle), _hook("silent", only, "https://127.0.0.1:9/pods", "")]
    return [
        _of("v1", "ResourceQuota", "small", spec={"hard": {"requests.cpu": "1"}}, namespace=spaces[COUNTED]),
        _of("v1", "LimitRange", "small", spec=_LIMITS, namespace=spaces[BOUNDED]),
        _of("v1", "ServiceAccount", "forbidden", namespace=free),
        _of("v1", "Secret", "wrong", namespace=free, type="Opaque"),
        _of("v1", "PersistentVolumeClaim", "unbound", spec=_CLAIM | _ROOM, namespace=free),
        _of("v1", "PersistentVolumeClaim", "elsewhere", spec=_CLAIM | _ROOM | {"volumeName": name}, namespace=free),
        _of("v1", "PersistentVolume", name, spec=_ELSEWHERE | {"claimRef": {"namespace": free, "name": "elsewhere"}}),
        _of(_ADMISSION, "ValidatingAdmissionPolicy", name, spec=_POLICY),
        _of(_ADMISSION, "ValidatingAdmissionPolicyBinding", name, spec=binding),
        _of(_ADMISSION, "ValidatingWebhookConfiguration", name, webhooks=hooks),
    ]


def cluster_wide(free: str) -> str:
    """The name of what is in no namespace."""
    return f"why-{free}"


CLUSTER_WIDE = (
    "persistentvolume",
    "validatingadmissionpolicy",
    "validatingadmissionpolicybinding",
    "validatingwebhookconfiguration",
)
"""Its kinds."""
_ADMISSION = "admissionregistration.k8s.io/v1"
_PODS = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
_CLAIM = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
_ROOM = {"resources": {"requests": {"storage": "1Gi"}}}
_GONE = {"key": "kubernetes.io/hostname", "operator": "In", "values": ["gone"]}
_ELSEWHERE = _CLAIM | {
    "capacity": {"storage": "1Gi"},
    "local": {"path": "/nowhere"},
    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [_GONE]}]}},
}
_LIMITS = {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}
_POLICY = {
    "matchConstraints": {"resourceRules": _PODS},
    "validations": [
        {"expression": "object.spec.?serviceAccountName.orValue('') != 'forbidden'", "message": "not this one"}
    ],
}


def _hook(label: str, where: Manifest, url: str, bundle: str) -> Manifest:
    return {
        **where,
        "name": f"pods.{label}.example.com",
        "clientConfig": {"url": url, **({"caBundle": bundle} if bundle else {})},
        "rules": _PODS,
        "objectSelector": {"matchLabels": {HOOK: label}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }


def _of(version: str, kind: str, name: str, *, namespace: str = "", **more: Any) -> Manifest:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where}, **more}
