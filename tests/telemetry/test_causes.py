"""Every named cause from objects as clusters send them: the kind, the sentence, and what to type.

Words of Kubernetes are those of its 1.37 sources (the file stands beside each), those of others of the named source, or
as they were recorded on a real one-node cluster (`seen`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from kube_magics.spec import names
from kube_magics.telemetry.causes.cause import Cause
from kube_magics.telemetry.causes.places import reasons
from kube_magics.telemetry.causes.queue import Queue
from kube_magics.telemetry.snapshot import of_job
from tests.telemetry.test_snapshot import a_job, a_pod, conditions, ended, failed_create, waiting

Object = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Objects, and what must be said of them."""

    kind: str
    sentence: str
    """Part of it."""
    fix: str
    """Part of it."""
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    queue: Queue | None = None
    lines: Sequence[str] = ()
    job: Object = field(default_factory=a_job)
    hopeless: bool = False


def unplaced(said: str, reason: str = "Unschedulable", **spec: Any) -> Object:
    pod = a_pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": reason, "message": said}])
    del pod["spec"]["nodeName"]
    pod["spec"] |= spec
    return pod


def a_node(*taints: tuple[str, str, str], **labels: str) -> Object:
    found = [{"key": key, "value": value, "effect": effect} for key, value, effect in taints]
    label = {name.replace("__", "/").replace("_", "."): value for name, value in labels.items()}
    return {"metadata": {"name": "n", "labels": label}, "spec": {"taints": found}, "status": {}}


def event(reason: str, message: str, at: str = "21:00:05", uid: str = "pod-uid") -> Object:
    of = {"kind": "Pod", "name": "digits-x7k2p-abcde", "uid": uid}
    return {"reason": reason, "message": message, "lastTimestamp": f"2026-11-23T{at}Z", "involvedObject": of}


def workload(reason: str, message: str, *more: Object) -> Queue:
    reserved = {"type": "QuotaReserved", "status": "False", "reason": reason, "message": message}
    return Queue({"status": {"conditions": [*more, reserved]}}, ahead=2)


def in_queue(**more: Any) -> Object:
    job = a_job(conditions(("Suspended", "True"), message="Job suspended"), suspend=True)
    job["metadata"] |= {"labels": {"kueue.x-k8s.io/queue-name": "team-a"}, **more}
    return job


def on_its_way(**status: Any) -> Object:
    """A pod on its node whose container is made."""
    return a_pod({"waiting": {"reason": "ContainerCreating"}}, **status)


PREEMPTION = " preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
FORBIDDEN = 'Error creating: pods "digits-x7k2p-v5t5c" is forbidden: '
GPUS = {"nodeSelector": {"nvidia.com/gpu.product": "H200"}}
PULL = 'failed to pull and unpack image "team/torch:1": failed to resolve image: '
OOM = (
    "OOM when allocating tensor with shape[16,64,64,64] and type float on /job:localhost/replica:0/task:0/device:GPU:0"
)
CUDA = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 22.00 MiB. GPU 0 has a total capacity of 23.65 GiB of"
    " which 11.06 MiB is free. Including non-PyTorch memory, this process has 23.60 GiB memory in use."
)
FULL = "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor h200, 2 more needed"
NEVER = (
    "couldn't assign flavors to pod set main: insufficient quota for nvidia.com/gpu in flavor h200, previously considered"
    " podsets requests (0) + current podset request (8) > maximum capacity (4)"
)
SCHEDULING = {
    # pkg/scheduler/framework/plugins/nodeaffinity/node_affinity.go
    "a label that no node has": Case(
        "unschedulable",
        "No node has the label disk=ssd: none has that label at all.",
        "correct --node-selector",
        [unplaced(f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.{PREEMPTION}", nodeSelector={"disk": "ssd"})],
        nodes=[a_node(arch="amd64")],
    ),
    "a GPU of another product": Case(
        "unschedulable",
        "No node has the label nvidia.com/gpu.product=H200: nodes here have A100, H100.",
        "--node-selector nvidia.com/gpu.product=A100",
        [unplaced("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", **GPUS)],
        nodes=[a_node(nvidia_com__gpu_product="H100"), a_node(nvidia_com__gpu_product="A100")],
    ),
    "a selector, and nodes that may not be seen": Case(
        "unschedulable",
        "No node has the labels that it asks for (disk=ssd).",
        "--node-selector",
        [unplaced("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", nodeSelector={"disk": "ssd"})],
    ),
    "an affinity": Case(
        "unschedulable",
        "No node fits its node affinity or selector.",
        "affinity",
        [unplaced("0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", affinity={"nodeAffinity": {}})],
    ),
    # pkg/scheduler/framework/plugins/tainttoleration/taint_toleration.go: 1.37 does not name them any more.
    "a taint of 1.37": Case(
        "unschedulable",
        "Every node that could run it has a taint that it does not tolerate (team=vision:NoSchedule).",
        "--toleration team=vision:NoSchedule",
        [unplaced(f"0/1 nodes are available: 1 node(s) had untolerated taint(s).{PREEMPTION}")],
        nodes=[a_node(("team", "vision", "NoSchedule"), ("old", "", "PreferNoSchedule"))],
    ),
    "a taint, and nodes that may not be seen": Case(
        "unschedulable",
        "Every node that could run it has a taint that it does not tolerate.",
        "ask your administrator which taint",
        [unplaced("0/1 nodes are available: 1 node(s) had untolerated taint(s).")],
    ),
    "a taint as it was named before 1.37": Case(
        "unschedulable",
        "(nvidia.com/gpu=present)",
        "--toleration nvidia.com/gpu=present",
        [unplaced("0/1 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}.")],
    ),
    "nodes that are not ready": Case(
        "unschedulable",
        "Every node that could run it is not ready.",
        "wait until a node is well again",
        [unplaced("0/2 nodes are available: 2 node(s) had untolerated taint(s).")],
        nodes=[a_node(("node.kubernetes.io/not-ready", "", "NoSchedule"))],
    ),
    "nodes that are not ready, named": Case(
        "unschedulable",
        "Every node that could run it is not ready.",
        "wait until a node is well again",
        [unplaced("0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.")],
    ),
    # pkg/scheduler/framework/plugins/nodeunschedulable/node_unschedulable.go
    "cordoned nodes": Case(
        "unschedulable",
        "Every node that could run it is cordoned",
        "uncordon",
        [unplaced(f"0/1 nodes are available: 1 node(s) were unschedulable.{PREEMPTION}")],
    ),
    "a cordon of the nodes that it asks for": Case(
        "unschedulable",
        "Every node that could run it is cordoned",
        "uncordon",
        [unplaced("0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.", nodeSelector={"disk": "ssd"})],
        nodes=[a_node(("team", "vision", "NoSchedule")), {**a_node(disk="ssd"), "spec": {"unschedulable": True}}],
    ),
    "ports of the nodes that it asks for": Case(
        "unschedulable",
        "A port that it wants is taken",
        "wait",
        [unplaced("0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 1 node(s) didn't match Pod's node affinity/selector.", nodeSelector={"disk": "ssd"})],
        nodes=[a_node(), a_node(disk="ssd")],
    ),
    "each node for another reason": Case(
        "unschedulable",
        "No node takes it: 2 without the labels that it asks for; 1 are cordoned.",
        "uncordon",
        [unplaced("0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.")],
    ),
    "GPUs, on the nodes that it may use": Case(
        "unschedulable",
        "Not enough free GPUs on the nodes that may run it.",
        "%kube gpus",
        [unplaced("0/1001 nodes are available: 1 Insufficient nvidia.com/gpu, 1000 node(s) had untolerated taint(s).")],  # seen
    ),
    "GPUs and CPU, on one node": Case(
        "unschedulable",
        "Not enough free GPUs on any node.",
        "--gpus",
        [unplaced("0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient nvidia.com/gpu.")],
    ),
    # pkg/scheduler/framework/plugins/noderesources/fit.go
    "a resource of another name": Case(
        "unschedulable",
        "Not enough ephemeral-storage on any node.",
        "ask for less of it",
        [unplaced("0/1 nodes are available: 1 Insufficient ephemeral-storage.")],
    ),
    "as many pods as a node may have": Case(
        "unschedulable",
        "Every node has as many pods as it may have.",
        "wait until other jobs have ended",
        [unplaced("0/1 nodes are available: 1 Too many pods.")],
    ),
    # pkg/scheduler/framework/plugins/volumebinding/binder.go
    "a claim whose volume is on another node": Case(
        "unschedulable",
        "The volume of its claim is on another node",
        "--node-selector",
        [unplaced("0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.")],
    ),
    "a claim whose volume is on another node, before 1.34": Case(
        "unschedulable",
        "The volume of its claim is on another node",
        "--volume",
        [unplaced("0/2 nodes are available: 2 node(s) had volume node affinity conflict.")],
    ),
    # pkg/scheduler/schedule_one.go, of a local volume whose node is gone
    "a claim whose node is not there": Case(
        "unschedulable",
        "The volume of its claim is on another node",
        "--volume",
        [unplaced("0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [VolumeBinding].")],
    ),
    "a claim that is not bound": Case(
        "unschedulable",
        "A claim of the job has no volume yet.",
        "--volume",
        [unplaced("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")],
    ),
    "a claim that is not there": Case(
        "unschedulable",
        "There is no such claim",
        "--volume",
        [unplaced('0/1 nodes are available: persistentvolumeclaim "data" not found. not found')],
        hopeless=True,
    ),
    "a claim that is being deleted": Case(
        "unschedulable",
        "is being deleted",
        "another claim",
        [unplaced('0/1 nodes are available: persistentvolumeclaim "data" is being deleted.')],
    ),
    # pkg/registry/core/pod/strategy.go
    "a scheduling gate": Case(
        "unschedulable",
        "held back before any node is looked for, by kueue.x-k8s.io/admission.",
        "wait for whoever set it",
        [unplaced("Scheduling is blocked due to non-empty scheduling gates", "SchedulingGated", schedulingGates=[{"name": "kueue.x-k8s.io/admission"}])],
    ),
    "no nodes": Case(
        "unschedulable",  # pkg/scheduler/scheduler.go
        "The cluster has no nodes at all.",
        "administrator",
        [unplaced("no nodes available to schedule pods")],
    ),
    # github.com/kubernetes/autoscaler/issues/5938; processors/status/eventing_scale_up_processor.go
    "a node that is added": Case(
        "scaling",
        "No node has room for it yet, and the cluster adds one.",
        "wait",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [event("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 1->2 (max: 8)}]")],
    ),
    "a node that is not added": Case(
        "unschedulable",
        "Not enough free GPUs on any node. The cluster adds no node for it.",
        "--gpus",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [
            event("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 1->2 (max: 2)}]"),
            event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", "21:05:00"),
        ],
    ),
    # GKE's autoscaler; the open one says nothing of a pod whose node could not be had
    "a node that cannot be had": Case(
        "unschedulable",
        "The cluster tried to add a node for it, and could not.",
        "--gpus",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [event("FailedScaleUp", "Node scale up in zones us-central1-a associated with this pod failed: GCE quota exceeded. Pod is at risk of not being scheduled.")],
    ),
    # github.com/kubernetes-sigs/karpenter: pkg/controllers/provisioning/scheduling/events.go, issues/932
    "a node that Karpenter makes": Case(
        "scaling",
        "No node has room for it yet, and the cluster adds one.",
        "wait",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [event("Nominated", "Pod should schedule on: nodeclaim/default-cvkcv")],
    ),
    "a node that Karpenter has chosen": Case(
        "unschedulable",
        "Not enough free GPUs on any node.",
        "--gpus",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [event("Nominated", "Pod should schedule on: node/ip-10-0-0-1")],
    ),
    "a node that Karpenter does not make": Case(
        "unschedulable",
        "Not enough free GPUs on any node. The cluster adds no node for it.",
        "--gpus",
        [unplaced("0/6 nodes are available: 6 Insufficient nvidia.com/gpu.")],
        [
            {**event("FailedScheduling", 'Failed to schedule pod, incompatible with nodepool "default"'), "source": {"component": "karpenter"}},
            event("FailedScheduling", "0/6 nodes are available: 6 Insufficient nvidia.com/gpu.", "21:05:00"),
        ],
    ),
}  # fmt: skip
REFUSED = {
    # plugin/pkg/admission/limitranger/admission.go; github.com/harn3ss/open-infra/issues/9
    "too much for the LimitRange": Case(
        "limits",
        "The namespace's LimitRange allows a container at most 4Gi of memory.",
        "--memory 4Gi",
        events=[failed_create(f"{FORBIDDEN}maximum memory usage per Container is 4Gi, but limit is 8Gi")],
        hopeless=True,
    ),
    "too little for the LimitRange": Case(
        "limits",
        "allows a pod no less than 2 of cpu.",
        "--cpus 2",
        events=[failed_create(f"{FORBIDDEN}minimum cpu usage per Pod is 2, but request is 500m")],
        hopeless=True,
    ),
    "no limit where the LimitRange has one": Case(
        "limits",
        "at most 4Gi of memory",
        "--memory 4Gi",
        events=[failed_create(f"{FORBIDDEN}maximum memory usage per Container is 4Gi.  No limit is specified")],
        hopeless=True,
    ),
    # pkg/apis/core/validation/validation.go; seen
    "more than the LimitRange's own limit": Case(
        "limits",
        "The namespace's LimitRange limits a container to 1 of cpu",
        "--cpus 1",
        events=[failed_create('Error creating: Pod "x" is invalid: spec.containers[0].resources.requests: Invalid value: "1900m": must be less than or equal to cpu limit of 1')],
        hopeless=True,
    ),
    # pkg/quota/v1/evaluator/core/pods.go
    "a quota that wants requests": Case(
        "quota",
        "for which each pod must say what it asks for",
        "--cpus SIZE, --memory SIZE",
        events=[failed_create(f"{FORBIDDEN}failed quota: q: must specify limits.cpu for: main; limits.memory for: main")],
        hopeless=True,
    ),
    # k8s.io/apiserver pkg/admission/plugin/webhook/errors/statuserror.go
    "a webhook": Case(
        "policy",
        "A rule of this cluster (the webhook validate.kyverno.svc-fail) refuses the job's pod.",
        "show your administrator",
        events=[failed_create('Error creating: admission webhook "validate.kyverno.svc-fail" denied the request: no team label')],
        hopeless=True,
    ),
    # k8s.io/apiserver pkg/admission/plugin/policy/validating/dispatcher.go
    "a policy": Case(
        "policy",
        "(the policy owners.example.com) refuses",
        "show your administrator",
        events=[failed_create(f"{FORBIDDEN}ValidatingAdmissionPolicy 'owners.example.com' with binding 'b' denied request: no")],
        hopeless=True,
    ),
    # k8s.io/apiserver pkg/util/webhook/error.go
    "a webhook that does not answer": Case(
        "refused",
        "The webhook mpod.kb.io, which checks pods here, does not answer",
        "wait",
        events=[failed_create('Internal error occurred: failed calling webhook "mpod.kb.io": connect: connection refused')],
    ),
    # plugin/pkg/admission/serviceaccount/admission.go
    "no such account": Case(
        "refused",
        "There is no service account trainer",
        "--service-account",
        events=[failed_create(f'{FORBIDDEN}error looking up service account team/trainer: serviceaccount "trainer" not found')],
        hopeless=True,
    ),
    # plugin/pkg/admission/priority/admission.go
    "no such priority": Case(
        "refused",
        "The cluster has no priority class high.",
        "--priority",
        events=[failed_create(f"{FORBIDDEN}no PriorityClass with name high was found")],
        hopeless=True,
    ),
    "anything else": Case(
        "refused",
        "The cluster refuses the job's pod.",
        "correct the option that the cluster names",
        events=[failed_create(f"{FORBIDDEN}something new")],
        hopeless=True,
    ),
}  # fmt: skip
QUEUES = {  # seen, with Kueue 0.15
    "a full queue": Case("queued", "waits in Kueue's queue team-a, behind 2 other jobs.", "wait", queue=workload("Pending", FULL), job=in_queue()),
    "more than the queue ever has": Case("queued", "asks for more than Kueue's queue team-a ever has", "ask for less", queue=workload("Pending", NEVER), job=in_queue()),
    "a resource that the queue has not": Case("queued", "has nothing of a kind that it asks for", "--queue", queue=workload("Pending", "couldn't assign flavors to pod set main: resource example.com/gpu unavailable in ClusterQueue"), job=in_queue()),
    "no such queue": Case("queued", "Kueue's queue team-a cannot take it.", "correct --queue", queue=workload("Inadmissible", "LocalQueue team-a doesn't exist"), job=in_queue()),
    "preempted in the queue": Case(
        "queued",
        "had to make room for a job of higher priority",
        "wait",
        queue=workload("Pending", FULL, {"type": "Preempted", "status": "True", "reason": "InClusterQueue", "message": "Preempted to accommodate a workload"}),
        job=in_queue(),
    ),
    "no Workload": Case("queued", "Kueue has made no Workload of it", "correct --queue", queue=Queue(), job=in_queue()),
    "a queue that may not be seen": Case("queued", "for what is not to be seen here", "wait", queue=Queue(readable=False), job=in_queue()),
    "suspended by hand": Case(
        "suspended",
        "It is suspended: it has no pods until somebody lets it run again.",
        "kubectl patch job",
        job={**a_job(conditions(("Suspended", "True")), suspend=True)},
    ),
}  # fmt: skip
STARTING = {
    # containerd 2.4: core/images/handlers.go; github.com/codefactoryhu/manifest/issues/11
    "an image for other processors": Case("image", "not made for its node's processors", "kubernetes.io/arch", [waiting("ErrImagePull", 'failed to pull and unpack image "i": no match for platform in manifest: not found')], hopeless=True),
    # containerd 2.4: core/remotes/docker/resolver.go
    "an image that its registry refuses": Case("image", "its registry refuses it to who asks so", "--image-pull-secret SECRET", [waiting("ErrImagePull", f"{PULL}pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials")], hopeless=True),
    "an image that its registry has not": Case("image", "its registry has no such image or tag", "correct --image", [waiting("ErrImagePull", f"{PULL}team/torch:1: not found")], hopeless=True),
    # seen; Go's net, net/http and crypto/tls
    "a registry that does not answer": Case("image", "its registry does not answer its node", "ask your administrator", [waiting("ErrImagePull", 'failed to resolve image: failed to do request: Head "https://10.0.0.1/v2/a/manifests/1": dial tcp 10.0.0.1:443: connect: connection refused')]),
    "a registry without TLS": Case("image", "does not speak HTTPS", "ask your administrator", [waiting("ErrImagePull", 'failed to do request: Head "https://r:5000/v2/a/manifests/1": http: server gave HTTP response to HTTPS client')]),
    "a registry of an unknown authority": Case("image", "does not trust the certificate of its registry", "ask your administrator", [waiting("ErrImagePull", 'Head "https://r/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority')]),
    "a registry that is none": Case("image", "its registry has no such address", "correct --image", [waiting("ErrImagePull", f"{PULL}dial tcp: lookup nowhere.example: no such host")], hopeless=True),
    "an image that backs off, with the reason behind": Case("image", "its registry has no such image or tag", "correct --image", [waiting("ImagePullBackOff", f'Back-off pulling image "team/torch:1": ErrImagePull: {PULL}team/torch:1: not found')], hopeless=True),
    # pkg/kubelet/kubelet_pods.go
    "no such ConfigMap": Case("start", "There is no ConfigMap settings in the job's namespace.", "%kube yaml", [waiting("CreateContainerConfigError", 'configmap "settings" not found')], hopeless=True),
    "no such key of a ConfigMap": Case("start", "The ConfigMap settings has no key lr.", "%kube yaml", [waiting("CreateContainerConfigError", "couldn't find key lr in ConfigMap team/settings")], hopeless=True),
    "no such key of a Secret": Case("start", "The Secret wandb has no key token.", "--secret", [waiting("CreateContainerConfigError", "couldn't find key token in Secret team/wandb")], hopeless=True),
    "no such Secret": Case("start", "There is no Secret wandb", "--secret", [waiting("CreateContainerConfigError", 'secret "wandb" not found')], hopeless=True),
    "a program for other processors": Case("start", "built for other processors", "--node-selector kubernetes.io/arch", [ended(128, "StartError", message='exec: "/bin/app": exec format error: unknown')], hopeless=True),
    # pkg/volume/configmap/configmap.go, pkg/kubelet/volumemanager: "MountVolume.SetUp failed for volume"
    "a volume of no ConfigMap": Case("mount", "There is no ConfigMap settings", "the node goes on trying", [on_its_way()], [event("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap "settings" not found')]),
    "a volume of no such key": Case("mount", "asks for the key lr", "the node goes on trying", [on_its_way()], [event("FailedMount", 'MountVolume.SetUp failed for volume "c" : configmap references non-existent config key: lr')]),
    # pkg/volume/secret/secret.go
    "a volume of no such key of a Secret": Case("mount", "A volume asks for the key lr, which its Secret does not have.", "the node goes on trying", [on_its_way()], [event("FailedMount", 'MountVolume.SetUp failed for volume "c" : references non-existent secret key: lr')]),
    # pkg/controller/volume/attachdetach/reconciler/reconciler.go
    "a volume that another node has": Case("mount", "attached to another node", "wait until the other job has ended", [on_its_way()], [event("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) other')]),
    "a volume, for some other reason": Case("mount", "cannot be mounted", "ask your administrator", [on_its_way()], [event("FailedMount", "nfs: timed out")]),
}  # fmt: skip


def ended_saying(*lines: str, code: int = 1, **more: Any) -> Case:
    """Of the end of its log, which its pod's status does not have."""
    return Case(pods=[ended(code)], lines=lines, **more)


ENDED = {
    "CUDA out of memory": ended_saying("Traceback (most recent call last):", '  File "t.py", line 3, in <module>', CUDA, kind="gpu-memory", sentence="The GPU had not enough memory", fix="a smaller batch"),
    "CUDA out of memory, under torchrun": ended_saying(f"[rank0]: {CUDA}", "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ", "train.py FAILED", kind="gpu-memory", sentence="The GPU", fix="%kube gpus"),
    # github.com/hotosm/fAIr/issues/59, github.com/Azure/MachineLearningNotebooks/issues/880
    "TensorFlow's, of a graph": ended_saying("tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:", "", f"{OOM} by allocator GPU_0_bfc", "\t [[{{node model/dense}}]]", "Hint: If you want to see a list of allocated tensors when OOM happens, add report_tensor_allocations_upon_oom", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    "TensorFlow's, of several": ended_saying("ResourceExhaustedError: 2 root error(s) found.", f"  (0) Resource exhausted: {OOM} by allocator GPU_0_bfc", "\t [[{{node resnet}}]]", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    # github.com/jax-ml/jax/issues/22755, github.com/patrick-kidger/equinox/issues/737
    "JAX's": ended_saying("jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 3743729664 bytes.", "BufferAssignment OOM Debugging.", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    "JAX's other one": ended_saying("XlaRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 6.27GiB (6727663616B) on device ordinal 0", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    "JAX's, of no GPU": ended_saying("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory allocating 80000000000 bytes.", kind="exit", sentence="exit code 1", fix="%kube logs"),
    "TensorFlow's": ended_saying("tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[9] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    # As an H100 gave them, to torch 2.11, CuPy 14 and NCCL 2.28 under torchrun.
    "CuPy's": ended_saying("cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 10,000,000,000,000 bytes (allocated so far: 0 bytes).", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    "cuBLAS'": ended_saying("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", kind="gpu-memory", sentence="The GPU", fix="a smaller batch"),
    "no GPU": ended_saying("RuntimeError: No CUDA GPUs are available", kind="no-gpu", sentence="It found no GPU.", fix="--gpus 1"),
    "no GPU, to CuPy": ended_saying("cupy_backends.cuda.api.runtime.CUDARuntimeError: cudaErrorNoDevice: no CUDA-capable device is detected", kind="no-gpu", sentence="no GPU", fix="--gpus 1"),
    "a GPU that it has not": ended_saying("torch.AcceleratorError: CUDA error: invalid device ordinal", "GPU device may be out of range, do you have enough GPUs?", "For debugging consider passing CUDA_LAUNCH_BLOCKING=1", kind="no-gpu", sentence="by a number that it has not", fix="more --gpus"),
    "a library that does not know the GPU": ended_saying("cupy_backends.cuda.api.driver.CUDADriverError: CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution on the device", kind="gpu-code", sentence="not built for this kind of GPU", fix="an --image"),
    "two processes on one GPU": ended_saying(
        "[rank0]: torch.distributed.DistBackendError: NCCL error in: /pytorch/torch/csrc/distributed/c10d/NCCLUtils.cpp:93, invalid usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.28.9",
        "[rank0]: ncclInvalidUsage: This usually reflects invalid usage of NCCL library.", "[rank0]: Last error:",
        "[rank0]: Duplicate GPU detected : rank 0 and rank 1 both on CUDA device 60",
        "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ", "/tmp/n.py FAILED",
        "subprocess.CalledProcessError: Command '['python3', '-m', 'torch.distributed.run', 'n.py']' returned non-zero exit status 1.",
        kind="nccl", sentence="Two of its processes use one GPU.", fix="LOCAL_RANK",
    ),
    "no such network interface": ended_saying("torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3135, invalid usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.28.9", "Last error:", "Bootstrap : no socket interface found", kind="nccl", sentence="network interfaces", fix="NCCL_SOCKET_IFNAME"),
    "a batch that /dev/shm does not hold": ended_saying("RuntimeError: unable to allocate shared memory(shm) for file </torch_1830_3899730176_0>: Resource temporarily unavailable (11)", kind="shared-memory", sentence="/dev/shm", fix="--shm"),
    "an error of the cell's own on a GPU": ended_saying("torch.AcceleratorError: CUDA error: device-side assert triggered", "CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.", kind="exit", sentence="exit code 1", fix="%kube logs"),
    # torch/cuda/__init__.py
    "a torch without CUDA": ended_saying("AssertionError: Torch not compiled with CUDA enabled", kind="no-gpu", sentence="built without CUDA", fix="an --image"),
    "no driver": ended_saying("RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx", kind="no-gpu", sentence="no GPU", fix="--gpus 1"),
    "a module that the image lacks": ended_saying("Traceback (most recent call last):", "ModuleNotFoundError: No module named 'sklearn'", kind="module", sentence="It imports sklearn, which is not installed there.", fix='--pip "scikit-learn"'),
    "a module below another": ended_saying("ModuleNotFoundError: No module named 'yaml.cyaml'", kind="module", sentence="yaml.cyaml", fix='--pip "PyYAML"'),
    "a module below one of its own name": ended_saying("ModuleNotFoundError: No module named 'torch.nosuch'", kind="module", sentence="which its version of torch does not have", fix='--pip "torch==VERSION"'),
    "python -m": ended_saying("/usr/bin/python3: No module named accelerate", kind="module", sentence="It imports accelerate", fix='--pip "accelerate"'),
    # torch/csrc/DataLoader.cpp
    "a DataLoader's bus error": ended_saying(
        "RuntimeError: DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.",
        "RuntimeError: DataLoader worker (pid(s) 7) exited unexpectedly",
        kind="shared-memory", sentence="had not enough shared memory (/dev/shm)", fix="--shm",
    ),
    # github.com/developerxnoxs/YoloCaptchaTrainer; aten/src/ATen/MapAllocator.cpp
    "a tensor that /dev/shm does not hold": ended_saying("RuntimeError: unable to write to file </torch_9931_3149260800_0>: No space left on device (28)", kind="shared-memory", sentence="/dev/shm", fix="--shm"),
    "a shared tensor, for some other reason": ended_saying("RuntimeError: unable to open shared memory object </torch_7_1> in read-write mode: Too many open files (24)", kind="exit", sentence="exit code 1", fix="%kube logs"),
    # src/misc/shmutils.cc; github.com/hiyouga/EasyR1/issues/228
    "NCCL's": ended_saying("torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1333, unhandled system error", "Last error:", "Error while creating shared memory segment /dev/shm/nccl-UmqSM9 (size 7340384)", kind="shared-memory", sentence="/dev/shm", fix="--shm"),
    "a bus error that says so itself": ended_saying("ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).", "RuntimeError: DataLoader worker (pid(s) 7) exited unexpectedly", kind="shared-memory", sentence="/dev/shm", fix="--shm"),
    "a bus error without words": Case("signal", "killed by signal 7", "--shm", [ended(135)]),
    "no space": ended_saying("OSError: [Errno 28] No space left on device: '/data/x.pt'", kind="disk-full", sentence="A disk that it writes to is full.", fix="--volume"),
    "no space, of a command": ended_saying("cp: error writing '/data/x': No space left on device", kind="disk-full", sentence="disk", fix="--volume"),
    "no space in /dev/shm": ended_saying("OSError: [Errno 28] No space left on device: '/dev/shm/psm_1'", kind="shared-memory", sentence="/dev/shm", fix="--shm"),
    "a disk quota": ended_saying("OSError: [Errno 122] Disk quota exceeded", kind="disk-full", sentence="disk", fix="--volume"),
    "a read-only root": ended_saying("OSError: [Errno 30] Read-only file system: '/opt/x'", kind="read-only", sentence="read-only", fix="--volume"),
    "no home": ended_saying("PermissionError: [Errno 13] Permission denied: '/.cache'", kind="home", sentence="It may not write to /.cache", fix="--env HOME=/tmp"),
    "root's home": ended_saying("PermissionError: [Errno 13] Permission denied: '/root/.cache/huggingface'", kind="home", sentence="/root/.cache", fix="--env HOME=/tmp"),
    "no user name": ended_saying("KeyError: 'getpwuid(): uid not found: 1000'", kind="home", sentence="no name in the image", fix="--env USER=user"),
    # github.com/SWE-agent/SWE-agent/issues/180, github.com/k3s-io/k3s/issues/2912
    "a program for other processors, by its log": ended_saying("exec /usr/local/bin/python: exec format error", code=255, kind="architecture", sentence="built for other processors", fix="kubernetes.io/arch"),
    "an old runc's": ended_saying("standard_init_linux.go:219: exec user process caused: exec format error", kind="architecture", sentence="other processors", fix="--image"),
    "by the status, where it has the log's end": Case("module", "It imports torch", '--pip "torch"', [ended(1, message="Traceback\nModuleNotFoundError: No module named 'torch'")]),
    "by the runner's last word": Case("gpu-memory", "The GPU", "a smaller batch", [ended(1, message=json.dumps({"e": "end", "code": 1, "reason": "failed", "error": CUDA}))]),
    "by the runner, before the cell": Case("module", "It imports umap", '--pip "umap-learn"', [ended(125, message=json.dumps({"e": "end", "code": 125, "reason": "import", "error": "ModuleNotFoundError: No module named 'umap': this image lacks umap-learn"}))]),
    "--timeout, by the runner": Case("deadline", "longer than its --timeout", "a longer --timeout", [ended(124, message=json.dumps({"e": "end", "code": 124, "reason": "timeout"}))]),
    # pkg/kubelet/cm/devicemanager/manager.go and cm/admission/errors.go; github.com/kubernetes/kubernetes/issues/97131
    "an unhealthy GPU": Case("device", "is not healthy", "show your administrator", [a_pod(phase="Failed", reason="UnexpectedAdmissionError", message="Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu, which is unexpected")]),
    "a lost GPU": Case("device", "is not healthy", "show your administrator", [a_pod(phase="Failed", reason="UnexpectedAdmissionError", message="Pod Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown desc = Unable to retrieve list of available devices: error creating nvml.Device 5: nvml: GPU is lost, which is unexpected")]),
    # github.com/kubernetes/kubernetes/issues/130145
    "GPUs that the node had not": Case("device", "could not give it the GPUs", "run the cell again", [a_pod(phase="Failed", reason="UnexpectedAdmissionError", message="Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected")]),
    "a node with less room": Case("refused", "less room than the scheduler thought", "run the cell again", [a_pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu")]),
}  # fmt: skip


def deleted_job(*finalizers: str) -> Object:
    job = a_job()
    job["metadata"] |= {"deletionTimestamp": "2026-11-23T21:00:09Z", "finalizers": list(finalizers)}
    return job


def deleted_pod(*finalizers: str) -> Object:
    pod = a_pod({"running": {"startedAt": None}}, phase="Running")
    pod["metadata"] |= {"deletionTimestamp": "2026-11-23T21:00:09Z", "finalizers": list(finalizers)}
    return pod


def silent_pod(ready: str) -> Object:
    found = [{"type": "Ready", "status": ready}]
    return a_pod({"running": {"startedAt": "2026-11-23T21:00:02Z"}}, phase="Running", conditions=found)


def unhealthy_device() -> Object:
    pod = ended(1)
    ill = {"resourceID": "GPU-1", "health": "Unhealthy"}
    pod["status"]["containerStatuses"][0]["allocatedResourcesStatus"] = [{"name": "nvidia.com/gpu", "resources": [ill]}]
    return pod


GONE = {
    # pkg/controller/controller_utils.go
    "deleted by the Job's controller": Case("deleted", "by the Job's controller", "run the cell again", [deleted_pod()], [event("SuccessfulDelete", "Deleted pod: digits-x7k2p-abcde", uid="job-uid")]),
    # pkg/controller/tainteviction/taint_eviction.go
    "deleted for a taint": Case("deleted", "its node may not run it any more", "run the cell again", [deleted_pod()], [event("TaintManagerEviction", "Marking for deletion Pod team/digits-x7k2p-abcde")]),
    "deleted, and kept by a finalizer": Case("deleted", "It stays until whoever set its finalizer example.com/backup takes it off.", "run the cell again", [deleted_pod("batch.kubernetes.io/job-tracking", "example.com/backup")], [event("Killing", "Stopping container main")]),
    "a Job that is deleted, and kept by a finalizer": Case("deleted", "It was deleted at 2026-11-23T21:00:09Z (by whom the cluster does not keep), and stays until example.com/backup is taken off it.", "wait until it is gone", [a_pod({"running": {"startedAt": None}}, phase="Running")], job=deleted_job("example.com/backup")),
    "a Job that is deleted after its pods": Case("deleted", "and stays until its pods have gone.", "wait until it is gone", [a_pod({"running": {"startedAt": None}}, phase="Running")], job=deleted_job("foregroundDeletion")),
    "deleted by somebody": Case("deleted", "by a person or a program with the right to", "run the cell again", [deleted_pod()], [event("Killing", "Stopping container main")]),
    "a taint that went away again": Case("deleted", "by a person or a program", "run the cell again", [deleted_pod()], [event("TaintManagerEviction", "Cancelling deletion of Pod team/digits-x7k2p-abcde"), event("Killing", "Stopping container main", "21:00:09")]),
    # pkg/controller/util/node/controller_utils.go
    "a silent node": Case("node", "Its node node-1 does not answer", "wait", [silent_pod("False")], [event("NodeNotReady", "Node is not ready")]),
    # k8s.io/api core/v1 ResourceHealthStatus
    "a GPU that became unhealthy": Case("device", "calls a device of it unhealthy: GPU-1", "administrator", [unhealthy_device()]),
}  # fmt: skip
EVERY: Mapping[str, Case] = {**SCHEDULING, **REFUSED, **QUEUES, **STARTING, **ENDED, **GONE}


def cause_of(case: Case) -> Cause | None:
    return of_job(
        case.job, case.pods, case.events, nodes=case.nodes, queue=case.queue, lines=case.lines, namespace="team"
    ).cause


@pytest.mark.parametrize("case", EVERY.values(), ids=EVERY)
def test_a_named_cause(case: Case) -> None:
    cause = cause_of(case)
    assert cause is not None
    assert (cause.kind, cause.hopeless) == (case.kind, case.hopeless)
    assert case.sentence in cause.sentence
    assert case.fix in str(cause.fix)


@pytest.mark.parametrize("case", EVERY.values(), ids=EVERY)
def test_who_made_it_with_yaml_is_told_no_option_of_ours(case: Case) -> None:
    job = json.loads(json.dumps(case.job))
    for name in (names.ANNOTATION_BUNDLE, names.ANNOTATION_SUBMISSION):
        del job["metadata"]["annotations"][name]
    cause = cause_of(Case(**{**vars(case), "job": job}))
    assert cause is not None
    assert cause.fix
    assert "--" not in cause.fix.replace("--type merge", "")
    assert "the cell" not in cause.fix


def test_what_an_option_stands_for() -> None:
    theirs = json.loads(json.dumps(a_job()))
    for name in (names.ANNOTATION_BUNDLE, names.ANNOTATION_SUBMISSION):
        del theirs["metadata"]["annotations"][name]
    fixes = [
        str(cause.fix)
        for key in ("a taint of 1.37", "a module that the image lacks")
        if (cause := cause_of(Case(**{**vars(EVERY[key]), "job": theirs}))) is not None
    ]
    assert fixes == [
        "tolerations team=vision:NoSchedule   (if such jobs may run there)   (in its YAML: %kube yaml NAME)",
        'an image with "scikit-learn" in it   (in its YAML: %kube yaml NAME)',
    ]


def test_who_suspended_it_is_said_as_the_api_server_kept_it() -> None:
    job = a_job(conditions(("Suspended", "True")), suspend=True)
    set_by = {"f:spec": {"f:suspend": {}}}
    job["metadata"]["managedFields"] = [
        {"manager": "kubectl-patch", "time": "2026-11-23T21:03:00Z", "fieldsV1": set_by}
    ]
    cause = of_job(job, []).cause
    assert cause is not None
    assert cause.said == "spec.suspend was set by kubectl-patch at 2026-11-23T21:03:00Z"


def test_both_sides_words_are_quoted() -> None:
    cause = cause_of(EVERY["a node that is not added"])
    assert cause is not None
    assert str(cause.said).splitlines() == [
        "0/6 nodes are available: 6 Insufficient nvidia.com/gpu.",
        "pod didn't trigger scale-up: 1 max node group size reached",
    ]


@pytest.mark.parametrize(
    ("said", "counted"),
    [
        (
            f"0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated taint {{a/b: c}}.{PREEMPTION}",
            {"Insufficient cpu": 2, "node(s) had untolerated taint {a/b: c}": 3},
        ),
        ("no nodes available to schedule pods", {}),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", {}),
        ("", {}),
    ],
)
def test_the_schedulers_words_are_counted(said: str, counted: dict[str, int]) -> None:
    assert reasons(said) == counted
