"""`%kube create -f`: objects of a file are made as kubectl makes them."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.acceptance.desk import Desk, admin_of, eventually, next_lines
from tests.acceptance.test_verbs import kubectl_job
from tests.cluster import Cluster

pytestmark = pytest.mark.jobs


def settings(name: str, **more: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def write(desk: Desk, *objects: object) -> None:
    (desk.folder / "job.yaml").write_text(yaml.safe_dump_all(objects))


def made(desk: Desk) -> str:
    return admin_of(desk).kubectl("get", "jobs,configmaps", "--output=name").stdout


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("", "takes files behind -f", "%kube create -f job.yaml"),
        ("job.yaml", "takes files behind -f", "%kube create -f job.yaml"),
        ("-f", "takes files behind -f", "%kube create -f job.yaml"),
        ("-f jib.yaml", "jib.yaml cannot be read: No such file", "%kube create -f job.yaml"),
        ("-f broken.yml", "broken.yml, line 2 is no YAML", "correct broken.yml"),
        ("-f job.yaml --namspace x", "no option --namspace", "--namespace"),
        ("-f job.yaml", "A ConfigMap is an object of a cluster, and jobs run on this machine", "%kube config context"),
    ],
)
def test_what_is_no_file(here: Desk, line: str, message: str, fix: str) -> None:
    write(here, settings("a"))
    (here.folder / "broken.yml").write_text("a: 1\n: :\n- [\n")
    ran = here.run(f"%kube create {line}")
    assert (ran.error, message in ran.message) == ("OptionError", True), ran
    assert fix in next_lines(ran)


@pytest.mark.cluster
def test_a_job_and_what_it_needs(there: Desk, cluster: Cluster) -> None:
    job = kubectl_job("made", cluster.images.quickstart)
    job["spec"]["template"]["spec"]["containers"][0]["command"] = ["python3", "-c", "print('hello')"]
    write(there, settings("made", data={"a": "1"}), job)
    ran = there.right("%kube create -f job.yaml")
    assert ran.stdout == "configmap/made created\njob.batch/made created   (%kube logs made)\n"
    eventually(lambda: there.right("%kube logs made").stdout == "hello\n", "the job's output")
    ran = there.run("%kube create --filename=job.yaml")
    assert ran.error == "ClusterError", ran
    assert "2 of 2 objects were not created" in ran.message
    assert "Job made (job.yaml, line" in ran.message
    assert 'jobs.batch "made" already exists' in ran.message
    there.right("%kube delete made")


@pytest.mark.cluster
def test_what_the_cluster_refuses_is_told_by_object(there: Desk, cluster: Cluster) -> None:
    typo = kubectl_job("typo", cluster.images.quickstart)
    typo["spec"]["template"]["spec"]["containers"][0]["comand"] = ["x"]
    write(there, typo, settings("after"))
    ran = there.run("%kube create -f job.yaml")
    assert ran.error == "Rejected", ran
    assert 'unknown field "spec.template.spec.containers[0].comand"' in ran.message
    assert "Job typo (job.yaml, line 1)" in ran.message
    assert "configmap/after created\n" in ran.stdout, "one that fails does not stop the next"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    write(there, secret)
    ran = there.run("%kube create -f job.yaml")
    assert ran.error == "Forbidden", ran
    assert 'cannot create resource "secrets"' in ran.message
    assert "for a Secret ask your administrator" in next_lines(ran)
    write(there, settings("x") | {"kind": "ConfigMop"})
    ran = there.run("%kube create -f job.yaml")
    assert (ran.error, next_lines(ran)) == ("NotFound", "kind: ConfigMap"), ran
    write(there, settings("x") | {"apiVersion": "batch/v7"})
    ran = there.run("%kube create -f job.yaml")
    assert (ran.error, "The cluster has no apiVersion batch/v7" in ran.message) == ("NotFound", True), ran


@pytest.mark.cluster
def test_what_dry_run_printed_is_created(there: Desk) -> None:
    (there.folder / "big.txt").write_text("".join(f"{number}\n" for number in range(60_000)))
    for name, files in (("small", ""), ("large", "--files big.txt")):
        printed = there.right(f"%%kubetrain --dry-run --cpus 100m --name {name} {files}\nprint('ran')").stdout
        (there.folder / "printed.yaml").write_text(printed)
        ran = there.right("%kube create -f printed.yaml")
        assert f"job.batch/{name} created   (%kube logs {name})\n" in ran.stdout
        assert ("configmap/" in ran.stdout) == bool(files)
        eventually(lambda name=name: there.right(f"%kube logs {name}").stdout == "ran\n", f"the output of {name}")  # type: ignore[misc]
        there.right(f"%kube delete {name}")
    (there.folder / "list.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [settings("one"), settings("two")]})
    )
    assert there.right("%kube create -f list.json").stdout == "configmap/one created\nconfigmap/two created\n"
