"""The doors of the option table in a real kernel: %kube config, the environment, IPython's configuration, a site's
limits, Tab. The cluster of its kubeconfig is not there: nothing here may need it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.acceptance.desk import NOWHERE, Desk, eventually, next_lines
from tests.kernel import Kernel, Ran

pytestmark = pytest.mark.jobs

SITE = """
c = get_config()
c.KubeMagics.memory = "2Gi"
c.KubeMagics.cpus = "3"
c.KubeMagics.env = {"SITE": "1", "NEAR": "site"}
c.KubeMagics.allowed_images = "registry.lab/*"
c.KubeMagics.contact = "mlops@lab.example"
"""
KUBECONFIG = {
    **NOWHERE,
    "contexts": [
        *NOWHERE["contexts"],
        {"name": "production", "context": {"cluster": "c", "user": "u", "namespace": "team-b"}},
    ],
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    folder = tmp_path_factory.mktemp("site")
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(SITE)
    (folder / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    (folder / "work").mkdir()
    (folder / "work" / "requirements.txt").touch()
    environment = {
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "KUBE_MAGICS_STATE": str(folder / "state"),
        "KUBE_MAGICS_MEMORY": "4Gi",
        "KUBE_MAGICS_IMAGE": "registry.lab/torch:2",
        "KUBE_MAGICS_MAX_GPUS": "2",
        "KUBE_MAGICS_GPU": "1",
    }
    with Kernel(folder / "work", environment) as made:
        right(made, "%load_ext kube_magics")
        right(made, "%load_ext kube_magics")
        yield made


def right(kernel: Kernel, source: str) -> Ran:
    ran = kernel.run(source)
    assert ran.error is None, ran
    return ran


def container(kernel: Kernel, options: str = "") -> dict[str, object]:
    """What a job of the line would run."""
    ran = right(kernel, f"%%kubetrain --dry-run {options}\nprint(1)")
    spec = yaml.safe_load(ran.stdout)["spec"]["template"]["spec"]
    found: dict[str, object] = spec["containers"][0]
    return found


def asked(kernel: Kernel, options: str = "") -> tuple[str, str]:
    resources: dict[str, dict[str, str]] = container(kernel, options)["resources"]  # type: ignore[assignment]
    return resources["requests"]["cpu"], resources["requests"]["memory"]


def test_each_place_counts_before_the_next(kernel: Kernel) -> None:
    assert asked(kernel) == ("3", "4Gi")
    right(kernel, "%config KubeMagics.cpus = '5'")
    assert asked(kernel) == ("5", "4Gi")
    right(kernel, "%kube config memory=6Gi cpus=6")
    assert asked(kernel) == ("6", "6Gi")
    assert asked(kernel, "--memory 7Gi") == ("6", "7Gi")
    right(kernel, "%kube config memory= cpus=")
    assert asked(kernel) == ("5", "4Gi")
    right(kernel, "%config KubeMagics.cpus = '3'")


def test_a_sites_variables_stay_beside_those_of_the_line(kernel: Kernel) -> None:
    env = container(kernel, "--env NEAR=line --env MINE=1")["env"]
    assert isinstance(env, list)
    found = {each["name"]: each.get("value") for each in env}
    assert (found["SITE"], found["NEAR"], found["MINE"]) == ("1", "line", "1")


def test_config_shows_every_value_and_where_it_comes_from(kernel: Kernel) -> None:
    shown = right(kernel, "%kube config timeout=2h detach env=hf_token=abcdefghijkl").stdout
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    for row in (
        "context - default",
        "image registry.lab/torch:2 environment (KUBE_MAGICS_IMAGE)",
        "memory 4Gi environment (KUBE_MAGICS_MEMORY)",
        "cpus 3 IPython config (c.KubeMagics.cpus)",
        "timeout 2h %kube config",
        "detach true %kube config",
        "env hf_token=… %kube config",
        "env SITE=1 NEAR=site IPython config (c.KubeMagics.env)",
        "max-gpus 2 environment (KUBE_MAGICS_MAX_GPUS)",
        "allowed-images registry.lab/* IPython config (c.KubeMagics.allowed_images)",
        "KUBE_MAGICS_GPU sets nothing here: KUBE_MAGICS_GPUS is probably meant",
    ):
        assert row in rows, shown
    assert "timeout" not in right(kernel, "%kube config timeout= detach= env=").stdout


@pytest.mark.parametrize(
    ("line", "told", "typed"),
    [
        ("%kube config gpu=2", "no setting gpu", "%kube config gpus=2"),
        ("%kube config gpus=two", "gpus=two is not a whole number", "%kube config gpus=1"),
        ("%kube config name=x", "belongs to one job", "%%kubetrain?"),
        ("%kube config max-gpus=9", "the site's to set", "%%kubetrain?"),
        ("%kube config memory", "needs a value", "%kube config memory=16Gi"),
        ("%kube config context=nowhere", "nowhere", ""),
    ],
)
def test_what_cannot_be_set_is_told_and_nothing_is_set(kernel: Kernel, line: str, told: str, typed: str) -> None:
    before = right(kernel, "%kube config").stdout
    ran = kernel.run(f"{line} cpus=7")
    assert ran.error is not None
    assert told in ran.message
    assert next_lines(ran).startswith(typed)
    assert right(kernel, "%kube config").stdout == before


@pytest.mark.parametrize(
    ("options", "told", "typed"),
    [
        ("--gpus 3", "--gpus 3: this site allows a job 2 (KUBE_MAGICS_MAX_GPUS)", "--gpus 2   (ask mlops@lab.example"),
        ("--image python:3.12", "(c.KubeMagics.allowed_images)", "--image registry.lab/*"),
    ],
)
def test_a_site_limits_what_its_users_ask_for(kernel: Kernel, options: str, told: str, typed: str) -> None:
    ran = kernel.run(f"%%kubetrain --dry-run {options}\nprint(1)")
    assert ran.error == "NotAllowed"
    assert told in ran.message
    assert next_lines(ran).startswith(typed)


def job_file(image: str, gpus: int) -> str:
    container = {"name": "main", "image": image, "resources": {"limits": {"nvidia.com/gpu": gpus}}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    meta = {"name": "greedy"}
    return yaml.safe_dump({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template}})


@pytest.mark.parametrize(
    ("image", "gpus", "told", "typed"),
    [
        ("registry.lab/torch:2", 3, "gpu: 3: this site allows a job 2 (KUBE_MAGICS_MAX_GPUS)", "nvidia.com/gpu: 2"),
        ("docker.io/torch:2", 1, "(c.KubeMagics.allowed_images)", "image: registry.lab/*"),
    ],
)
def test_a_site_limits_what_files_ask_for(kernel: Kernel, image: str, gpus: int, told: str, typed: str) -> None:
    right(kernel, f"_ = open('job.yaml', 'w').write({job_file(image, gpus)!r})")
    ran = kernel.run("%kube create -f job.yaml")
    assert ran.error == "NotAllowed", ran
    assert "Job greedy (job.yaml, line 1): " in ran.message
    assert told in ran.message
    assert next_lines(ran).startswith(f"{typed}   (ask mlops@lab.example")


def test_a_site_limits_what_calls_ask_for(kernel: Kernel) -> None:
    for call in ("train(len, ('abc',), gpus=3)", "remote(gpus=3)(len)('abc')"):
        ran = kernel.run(f"import kube_magics\nkube_magics.{call}")
        assert ran.error == "NotAllowed", ran
        assert "(KUBE_MAGICS_MAX_GPUS)" in ran.message
    ran = kernel.run("%kube run docker.io/library/busybox -- true")
    assert ran.error == "NotAllowed", ran
    assert "(c.KubeMagics.allowed_images)" in ran.message


def test_debug_shows_the_whole_traceback_and_no_more_than_that_call(kernel: Kernel) -> None:
    short = kernel.run("%kube jobs")
    assert short.error == "Unreachable"
    assert "Traceback" not in short.traceback
    ran = kernel.run("%kube jobs --debug")
    assert ran.error == "Unreachable"
    assert "Traceback (most recent call last)" in ran.traceback
    assert "cluster/client.py" in ran.traceback  # where it was raised
    assert "ClientConnectorError" in ran.traceback  # and why
    assert "next: " in ran.traceback
    assert kernel.run("%kube jobs").traceback == short.traceback
    right(kernel, "%kube config debug=true")
    assert "Traceback" in kernel.run("%kube jobs").traceback
    assert "Traceback" not in kernel.run("%kube jobs --debug=false").traceback
    right(kernel, "%kube config debug=")
    call = "import kube_magics\nkube_magics.train(len, ('abc',), debug={})"
    assert "Traceback (most recent call last)" in kernel.run(call.format(True)).traceback


def completed(kernel: Kernel, text: str, below: str = "") -> list[str]:
    """What Tab offers behind `text`."""
    reply = kernel.client.complete(f"{text}\n{below}", len(text), reply=True, timeout=30)
    start, stop = reply["content"]["cursor_start"], reply["content"]["cursor_end"]
    assert stop == len(text)
    return [text[:start] + each for each in reply["content"]["matches"]]


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("%%kubetrain --gp", ["%%kubetrain --gpus", "%%kubetrain --gpu-resource"]),
        ("%%kubetrain --backend=", ["%%kubetrain --backend=kubernetes", "%%kubetrain --backend=local"]),
        ("%%kubetrain --gpus 2 --backend lo", ["%%kubetrain --gpus 2 --backend local"]),
        ("%%kubetrain --requirements req", ["%%kubetrain --requirements requirements.txt"]),
        ("%%kubetrain --returns sc", ["%%kubetrain --returns score"]),
        ("%%kubetrain --returns model,sc", ["%%kubetrain --returns model,score"]),
        ("%kube at", ["%kube attach"]),
        ("%kube attach x --t", ["%kube attach x --tail", "%kube attach x --trust"]),
        ("%kube config names", ["%kube config namespace="]),
        ("%kube config detach=", ["%kube config detach=true", "%kube config detach=false"]),
        ("%kube run --pip n", ["%kube run --pip none"]),
        ("%kube run req", ["%kube run requirements.txt"]),
        ("%kube create -f req", ["%kube create -f requirements.txt"]),
    ],
)
def test_tab_offers_what_may_stand_there(kernel: Kernel, text: str, offered: list[str]) -> None:
    assert sorted(completed(kernel, text, "model = 1\nfor score in (1, 2):\n    pass")) == sorted(offered)


def test_tab_elsewhere_is_ipythons_own(kernel: Kernel) -> None:
    right(kernel, "a_name_of_mine = 1")
    assert "a_name_of_m" in completed(kernel, "a_name_of_m")[0]
    assert completed(kernel, "%%kubetrain --gpus 1\nprint(a_name_of_m") == [
        "%%kubetrain --gpus 1\nprint(a_name_of_mine"
    ]


def test_tab_knows_the_contexts_of_the_kubeconfig(kernel: Kernel) -> None:
    eventually(lambda: completed(kernel, "%kube jobs --context pro"), "the contexts")
    assert completed(kernel, "%kube config context=") == ["%kube config context=lab", "%kube config context=production"]


def test_tab_knows_the_jobs(anywhere: Desk) -> None:
    """Also those that nobody here has seen: a list is renewed behind the first Tab that asks for it."""
    anywhere.right("%%kubetrain --cpus 100m --name tabbed\nprint(1)")
    assert completed(anywhere.kernel, "%kube logs tab") == ["%kube logs tabbed"]
    anywhere.right("from kube_magics.jobs import known\nknown._lists.clear(); known._asked.clear()")
    eventually(lambda: completed(anywhere.kernel, "%kube logs tab") == ["%kube logs tabbed"], "the jobs")
    if anywhere.space is not None:
        line = f"%kube jobs -n {anywhere.space.name[:6]}"
        eventually(lambda: f"%kube jobs -n {anywhere.space.name}" in completed(anywhere.kernel, line), "namespaces")


@pytest.mark.cluster
def test_debug_shows_every_request_and_no_secret(there: Desk) -> None:
    assert there.space is not None
    space = there.space
    space.admin("create", "secret", "generic", "store", f"--namespace={space.name}", "--from-literal=key=s3cret-value")
    line = "%%kubetrain --cpus 100m --debug --name looked-at --env QUIET=in-a-body --secret store:key=KEY"
    ran = there.right(f"{line}\nimport os\nassert os.environ['KEY'].startswith('s3')")
    jobs = f"/apis/batch/v1/namespaces/{space.name}/jobs"
    assert re.search(rf"^\[kube_magics: POST {jobs}: 201 in \d+ ms\]$", ran.stderr, re.MULTILINE), ran
    assert "/log?" in ran.stderr
    token = yaml.safe_load(space.kubeconfig.read_text())["users"][0]["user"]["token"]
    failed = there.run(f"{line.replace('looked-at', 'fails')} --labels 'team=x' --priority no-such-class\nprint(1)")
    assert "Traceback (most recent call last)" in failed.traceback
    assert "in-a-body" not in ran.stderr + failed.stderr
    for shown in (ran.stdout, ran.stderr, failed.stdout, failed.stderr, failed.traceback):
        for secret in (token, "Bearer", "s3cret-value"):
            assert secret not in shown
    assert "GET" not in there.right("%kube jobs").stderr
