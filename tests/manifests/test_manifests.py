"""What a job becomes in the cluster, compared as whole objects; and a real API server's opinion of each."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import yaml

from kube_magics.manifests import bundle, job
from kube_magics.spec.environment import Secret
from kube_magics.spec.job import JobSpec, Submission
from kube_magics.spec.marks import Toleration
from kube_magics.spec.volumes import Volume
from tests.cluster import Cluster, Namespace

NAME = "digits-x7k2p"
PLAIN = Submission(
    spec=JobSpec(),
    name=NAME,
    submission_id="submission-1",
    bundle=b"small zip",
    bundle_sha256="b" * 64,
    cell_digest="c" * 64,
    notebook="work/digits.ipynb",
    label="In [3]",
    folder="/home/me/work",
    version="0.1.0",
)
LARGE = replace(PLAIN, bundle=random.Random(1).randbytes(2 * bundle.CONFIG_MAP_BYTES + 5))

LABELS = {
    "app.kubernetes.io/managed-by": "kube-magics",
    "kube-magics.dev/job": NAME,
    "kube-magics.dev/notebook": "work-digits.ipynb-f30ad7008c",
}
ENVIRONMENT = {
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "USER": "user",
    "LOGNAME": "user",
    "XDG_CACHE_HOME": "/tmp/.cache",
    "MPLCONFIGDIR": "/tmp/.cache/matplotlib",
    "NUMBA_CACHE_DIR": "/tmp/.cache/numba",
    "TORCHINDUCTOR_CACHE_DIR": "/tmp/.cache/torchinductor",
    "HF_HOME": "/tmp/.cache/huggingface",
}


def made(submission: Submission, *, fixed_user: bool = True, boot: str = "BOOT") -> dict[str, Any]:
    return job.job(submission, image="team/torch:1", boot=boot, fixed_user=fixed_user)


def asking(**options: Any) -> Submission:
    return replace(PLAIN, spec=JobSpec(**options))


def env(**more: str) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in {**ENVIRONMENT, **more}.items()]


def expected(
    *,
    container: dict[str, Any] | None = None,
    pod: dict[str, Any] | None = None,
    security: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The plain job, with what differs."""
    small = {"KUBE_MAGICS_BUNDLE": base64.b64encode(b"small zip").decode(), "KUBE_MAGICS_BUNDLE_SHA256": "b" * 64}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": NAME,
            "labels": LABELS,
            "annotations": {
                "kube-magics.dev/notebook": "work/digits.ipynb",
                "kube-magics.dev/cell-label": "In [3]",
                "kube-magics.dev/submission": "submission-1",
                "kube-magics.dev/cell": "c" * 64,
                "kube-magics.dev/bundle": "b" * 64,
                "kube-magics.dev/version": "0.1.0",
                **(annotations or {}),
            },
        },
        "spec": {
            "backoffLimit": 0,
            "ttlSecondsAfterFinished": 604_800,
            "template": {
                "metadata": {
                    "labels": {**LABELS, "sidecar.istio.io/inject": "false"},
                    "annotations": {
                        "kube-magics.dev/notebook": "work/digits.ipynb",
                        "sidecar.istio.io/inject": "false",
                        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                        "karpenter.sh/do-not-disrupt": "true",
                    },
                },
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 40,
                    "securityContext": security
                    or {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "fsGroup": 100,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "main",
                            "image": "team/torch:1",
                            "command": ["python3", "-BISc", "BOOT"],
                            "env": env(**small),
                            "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}},
                            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            **(container or {}),
                        }
                    ],
                    **(pod or {}),
                },
            },
        },
    }


SHM = {
    "container": {"volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}]},
    "pod": {"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]},
}


def test_without_gpus_there_is_no_volume() -> None:
    assert made(PLAIN) == expected()


def test_gpus_bring_a_toleration_and_shared_memory() -> None:
    resources = {
        "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"},
        "limits": {"memory": "16Gi", "nvidia.com/gpu": "2"},
    }
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert made(asking(gpus=2, cpus="4", memory="16Gi")) == expected(
        container={**SHM["container"], "resources": resources}, pod={**SHM["pod"], "tolerations": tolerations}
    )


@pytest.mark.parametrize("submission", [asking(shm=""), replace(PLAIN, imports=("numpy", "torch"))])
def test_shared_memory_when_asked_or_when_torch_is_imported(submission: Submission) -> None:
    assert made(submission) == expected(**SHM)


def test_shared_memory_with_a_limit() -> None:
    volumes = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}}]
    assert made(asking(shm="8Gi")) == expected(container=SHM["container"], pod={"volumes": volumes})


def test_other_imports_bring_nothing() -> None:
    assert made(replace(PLAIN, imports=("numpy", "torchvision_like"))) == expected()


def test_a_read_only_root_has_a_writable_tmp() -> None:
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]
    assert made(asking(read_only_root=True)) == expected(
        container={"securityContext": security, "volumeMounts": mounts},
        pod={"volumes": [{"name": "tmp", "emptyDir": {}}]},
    )


def test_the_deadline_is_the_templates_never_the_jobs() -> None:
    """The Job's own would delete the pod with its log; this one is the backstop behind the runner's."""
    assert made(asking(timeout=600)) == expected(pod={"activeDeadlineSeconds": 690})


def test_returns_stand_in_an_annotation_and_python_in_the_command() -> None:
    assert made(asking(returns=("model", "score"), python="/opt/bin/python")) == expected(
        container={"command": ["/opt/bin/python", "-BISc", "BOOT"]},
        annotations={"kube-magics.dev/returns": "model,score"},
    )


def test_where_the_cluster_assigns_users_none_is_asked_for() -> None:
    assert made(PLAIN, fixed_user=False) == expected(
        security={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    )


def test_an_unknown_notebook_is_its_work_folder_and_not_shown() -> None:
    found = made(replace(PLAIN, notebook=None))
    assert found["metadata"]["labels"]["kube-magics.dev/notebook"].startswith("home-me-work-")
    assert "kube-magics.dev/notebook" not in found["metadata"]["annotations"]
    assert "kube-magics.dev/notebook" not in found["spec"]["template"]["metadata"]["annotations"]


def test_a_large_bundle_is_a_volume_of_config_maps() -> None:
    sources = [{"configMap": {"name": f"{NAME}-submissi-{i}"}} for i in range(3)]
    where = {
        "KUBE_MAGICS_BUNDLE_DIR": "/kube-magics/bundle",
        "KUBE_MAGICS_BUNDLE_PARTS": "3",
        "KUBE_MAGICS_BUNDLE_SHA256": "b" * 64,
    }
    mounts = [{"name": "bundle", "mountPath": "/kube-magics/bundle", "readOnly": True}]
    assert made(LARGE) == expected(
        container={"env": env(**where), "volumeMounts": mounts},
        pod={"volumes": [{"name": "bundle", "projected": {"sources": sources}}]},
    )


def test_the_config_maps_belong_to_the_job_and_hold_the_whole_bundle() -> None:
    created = {"metadata": {"name": NAME, "uid": "uid-1"}}
    maps = job.config_maps(created, LARGE)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": "uid-1"}
    for index, found in enumerate(maps):
        data = found.pop("binaryData")
        assert list(data) == [f"part-{index:03d}"]
        assert found == {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"{NAME}-submissi-{index}", "labels": LABELS, "ownerReferences": [owner]},
            "immutable": True,
        }
        found["binaryData"] = data
    parts = [base64.b64decode(found["binaryData"][f"part-{index:03d}"]) for index, found in enumerate(maps)]
    assert b"".join(parts) == LARGE.bundle
    assert max(map(len, parts)) == bundle.CONFIG_MAP_BYTES


def test_the_border_between_small_and_large() -> None:
    border = bundle.LITERAL_LIMIT_BYTES * 3 // 4
    text = bundle.literal(b"x" * border)
    assert text is not None
    assert len(text) <= bundle.LITERAL_LIMIT_BYTES
    assert bundle.literal(b"x" * (border + 1)) is None
    assert job.config_maps({}, PLAIN) == []
    # Linux refuses an environment string of 128 KiB.
    assert len(f"KUBE_MAGICS_BUNDLE={text}") < 128 * 1024


def test_the_users_variables_replace_ours_and_nothing_in_them_is_expanded() -> None:
    mine = asking(env=(("HOME", "/data/me"), ("GREETING", "$(HOME) costs $5"), ("EMPTY", "")))
    small = {"KUBE_MAGICS_BUNDLE": base64.b64encode(b"small zip").decode(), "KUBE_MAGICS_BUNDLE_SHA256": "b" * 64}
    more = {"HOME": "/data/me", "GREETING": "$$(HOME) costs $$5", "EMPTY": "", **small}
    assert made(mine) == expected(container={"env": env(**more)})


def test_secrets_are_references() -> None:
    secrets = (Secret("wandb"), Secret("s3", "key", "AWS_ACCESS_KEY_ID"), Secret("s3", "home", "HOME"))
    reference = {"name": "HOME", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "home"}}}
    key = {"name": "AWS_ACCESS_KEY_ID", "valueFrom": {"secretKeyRef": {"name": "s3", "key": "key"}}}
    small = {"KUBE_MAGICS_BUNDLE": base64.b64encode(b"small zip").decode(), "KUBE_MAGICS_BUNDLE_SHA256": "b" * 64}
    plain, bundled = env()[1:], [{"name": name, "value": value} for name, value in small.items()]
    assert made(asking(secret=secrets)) == expected(
        container={"env": [reference, *plain, key, *bundled], "envFrom": [{"secretRef": {"name": "wandb"}}]}
    )


def test_claims_are_mounted_where_they_are_asked_for() -> None:
    volumes = [
        {"name": "claim-0", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        {"name": "claim-1", "persistentVolumeClaim": {"claimName": "scratch"}},
    ]
    mounts = [
        {"name": "claim-0", "mountPath": "/data", "readOnly": True},
        {"name": "claim-0", "mountPath": "/more", "readOnly": True},
        {"name": "claim-1", "mountPath": "/scratch"},
        {"name": "claim-1", "mountPath": "/old", "readOnly": True},
    ]
    wanted = (
        Volume("data", "/data", True),
        Volume("scratch", "/scratch"),
        Volume("data", "/more", True),
        Volume("scratch", "/old", True),
    )
    assert made(asking(volume=wanted)) == expected(container={"volumeMounts": mounts}, pod={"volumes": volumes})


def test_the_cache_is_a_claim_that_may_be_mounted_besides() -> None:
    mounts = [
        {"name": "claim-0", "mountPath": "/data", "readOnly": True},
        {"name": "claim-0", "mountPath": "/kube-magics/cache"},
    ]
    assert made(asking(volume=(Volume("data", "/data", True),), cache="data")) == expected(
        container={"volumeMounts": mounts},
        pod={"volumes": [{"name": "claim-0", "persistentVolumeClaim": {"claimName": "data"}}]},
    )


def test_where_and_as_whom_it_runs() -> None:
    asked = asking(
        service_account="trainer",
        image_pull_secret=("one", "two"),
        priority="high",
        node_selector=(("gpu", "a100"), ("spot", "")),
        toleration=(Toleration("spot"), Toleration("team", "a", "NoSchedule"), Toleration("old", "", "NoExecute")),
    )
    tolerations = [
        {"key": "spot", "operator": "Exists"},
        {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"},
        {"key": "old", "operator": "Equal", "value": "", "effect": "NoExecute"},
    ]
    assert made(asked) == expected(
        pod={
            "serviceAccountName": "trainer",
            "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
            "priorityClassName": "high",
            "nodeSelector": {"gpu": "a100", "spot": ""},
            "tolerations": tolerations,
        }
    )


def test_gpus_by_another_name_and_their_vendors_taint() -> None:
    found = made(asking(gpus=2, gpu_resource="nvidia.com/mig-1g.5gb"))["spec"]["template"]["spec"]
    resources = found["containers"][0]["resources"]
    assert resources["limits"] == {"nvidia.com/mig-1g.5gb": "2"}
    assert resources["requests"] == {"cpu": "500m", "memory": "1Gi", "nvidia.com/mig-1g.5gb": "2"}
    assert [each["key"] for each in found["tolerations"]] == ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb"]


@pytest.mark.parametrize(
    ("user", "security"),
    [
        ("1001", {"runAsNonRoot": True, "runAsUser": 1001, "fsGroup": 100}),
        ("0", {"runAsNonRoot": False, "runAsUser": 0, "fsGroup": 100}),
        ("image", {"runAsNonRoot": True}),
    ],
)
@pytest.mark.parametrize("fixed_user", [True, False])
def test_whoever_the_user_names(user: str, security: dict[str, Any], *, fixed_user: bool) -> None:
    wanted = expected(security={**security, "seccompProfile": {"type": "RuntimeDefault"}})
    assert made(asking(run_as=user), fixed_user=fixed_user) == wanted


def test_seeds_that_the_code_sets_stand_beside_its_digest() -> None:
    found = made(replace(PLAIN, seeds=(("random.seed", 0), ("jax.random.key", 7))))
    assert found == expected(annotations={"kube-magics.dev/seeds": "random.seed=0,jax.random.key=7"})


def test_own_labels_and_annotations_are_on_job_and_pod_and_the_queues_on_the_job() -> None:
    found = made(asking(labels=(("team", "vision"),), annotations=(("a/b", "c, d"),), queue="team-a"))
    wanted = expected(annotations={"a/b": "c, d"})
    wanted["metadata"]["labels"] = {"team": "vision", **LABELS, "kueue.x-k8s.io/queue-name": "team-a"}
    template = wanted["spec"]["template"]["metadata"]
    template["labels"] = {"team": "vision", **template["labels"]}
    template["annotations"] = {"a/b": "c, d", **template["annotations"]}
    assert found == wanted


def test_times() -> None:
    found = made(asking(grace=300, ttl=60, timeout=600, retries=2))
    wanted = expected(pod={"activeDeadlineSeconds": 960, "terminationGracePeriodSeconds": 310})
    final = {"containerName": "main", "operator": "In", "values": [70, 124]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": final}]}
    wanted["spec"] |= {"ttlSecondsAfterFinished": 60, "backoffLimit": 2}
    wanted["spec"] |= {"podFailurePolicy": policy, "podReplacementPolicy": "Failed"}
    assert found == wanted
    as_it_is = made(replace(asking(retries=2), arguments=("x",)))["spec"]
    assert (as_it_is["podReplacementPolicy"], "podFailurePolicy" in as_it_is) == ("Failed", False)


def test_an_image_as_it_is_works_where_it_is_told() -> None:
    as_it_is = replace(asking(workdir="/data"), arguments=("x",))
    assert made(as_it_is)["spec"]["template"]["spec"]["containers"][0]["workingDir"] == "/data"
    assert made(asking(workdir="/data")) == expected()


def boot() -> str:
    return resources.files("kube_magics.runner").joinpath("boot.py").read_text("utf-8")


def test_nothing_in_the_program_is_a_variable_of_kubernetes() -> None:
    """`$(NAME)` in a command is replaced by the kubelet."""
    assert "$(" not in boot()


def test_the_callers_submission_stays_as_it_is() -> None:
    before = replace(LARGE)
    one, two = made(LARGE), made(LARGE)
    one["metadata"]["labels"]["x"] = one["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    assert made(LARGE) == two
    assert before == LARGE


EVERY_KIND = {
    "plain": PLAIN,
    "gpus": asking(gpus=1, cpus="500m", memory="1Gi"),
    "shm": asking(shm="64Mi"),
    "read-only-root": asking(read_only_root=True),
    "timeout": asking(timeout=600, returns=("model",)),
    "torch": replace(PLAIN, imports=("torch",), notebook=None),
    "large": LARGE,
    "environment": asking(env=(("A", "$(B)"),), secret=(Secret("one"), Secret("two", "key", "KEY"))),
    "placed": asking(
        service_account="default",
        image_pull_secret=("one",),
        node_selector=(("gpu", "a100"),),
        toleration=(Toleration("spot"), Toleration("team", "a", "NoSchedule")),
        labels=(("team", "vision"),),
        annotations=(("a/b", "c, d"),),
        queue="team-a",
        run_as="1001",
        grace=300,
        ttl=60,
        retries=2,
    ),
    "volumes": asking(volume=(Volume("data", "/data", True), Volume("data", "/more")), cache="packages", gpus=1),
}


@pytest.fixture(scope="module")
def warning(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace in which nothing is made; every breach of `restricted` is said at once, not only of a pod."""
    from tests.cluster.namespaces import delete

    space = cluster.namespace()
    space.admin("label", "namespace", space.name, "pod-security.kubernetes.io/warn=restricted")
    yield space
    delete(space)


@pytest.mark.cluster
@pytest.mark.parametrize("kind", EVERY_KIND)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_real_server_takes_it_without_a_warning(warning: Namespace, kind: str, form: str) -> None:
    submission = EVERY_KIND[kind]
    uid = "00000000-0000-4000-8000-000000000000"
    objects = [made(submission, boot=boot()), *job.config_maps({"metadata": {"name": NAME, "uid": uid}}, submission)]
    text = (
        yaml.safe_dump_all(objects, sort_keys=False)
        if form == "yaml"
        else json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )
    done = warning.kubectl("create", "--dry-run=server", "-f", "-", input=text)
    assert done.stderr == ""
    assert done.stdout.count("created (server dry run)") == len(objects)


@pytest.mark.cluster
def test_the_server_would_have_warned(warning: Namespace) -> None:
    found = made(PLAIN)
    del found["spec"]["template"]["spec"]["securityContext"]
    done = warning.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(found))
    assert "would violate PodSecurity" in done.stderr
