"""`--env`, `--secret` and `--volume` in a job: what arrives, and what is said of what cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kube_magics.backends import elsewhere
from kube_magics.spec.job import JobSpec
from kube_magics.spec.parse import parse
from tests.acceptance.desk import Desk, admin_of, corrected, eventually, suggested
from tests.cluster import Cluster
from tests.cluster.claims import claim, unbound
from tests.cluster.namespaces import ACCOUNT

pytestmark = pytest.mark.jobs

SEEN = "import os\nseen = {name: os.environ.get(name) for name in ('GREETING', 'HOME', 'TOKEN', 'EMPTY')}"


def asked(line: str) -> JobSpec:
    return JobSpec.of(parse(line.split()))


def test_variables_are_set_as_they_are_written(anywhere: Desk) -> None:
    anywhere.right(
        "%%kubetrain --cpus 100m --env 'GREETING=$(HOME) costs $5' --env HOME=/tmp --env EMPTY= --returns seen\n" + SEEN
    )
    found = "{'GREETING': '$(HOME) costs $5', 'HOME': '/tmp', 'TOKEN': None, 'EMPTY': ''}"
    assert anywhere.kernel.value("seen") == found


def test_here_a_secret_is_the_notebooks_own_environment(here: Desk) -> None:
    line = "%%kubetrain --secret store:token=TOKEN --returns seen"
    ran = here.run(f"{line}\n{SEEN}")
    assert ran.error == "OptionError"
    assert "this notebook has no TOKEN" in ran.message
    assert 'os.environ["TOKEN"] = getpass.getpass()' in ran.traceback
    here.right("import os\nos.environ['TOKEN'] = 's3cret'")
    ran = here.right(f"{line}\n{SEEN}")
    assert "on this machine --secret is the notebook's own environment: TOKEN\n" in ran.stdout
    assert here.kernel.value("seen['TOKEN']") == "'s3cret'"


def test_here_a_volume_is_a_folder(here: Desk) -> None:
    (here.folder / "data").mkdir()
    line = f"%%kubetrain --volume data:{here.folder}/data:ro"
    ran = here.right(f"{line}\nimport os\nprint(os.path.isdir({str(here.folder / 'data')!r}))")
    assert "True\n" in ran.stdout
    ran = here.run("%%kubetrain --volume data:/no/such\nprint(1)")
    assert ran.error == "OptionError"
    assert "this machine has no folder /no/such" in ran.message
    assert ran.stdout == ""  # no job has been named yet
    assert suggested(ran) == "--backend kubernetes"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--gpus 1 --env A=b", []),
        ("--image x", ["on this machine --image has no meaning"]),
        (
            "--cache c --image x --read-only-root",
            ["on this machine --image, --read-only-root and --cache have no meaning"],
        ),
        ("--secret s", ["on this machine --secret is the notebook's own environment: the keys of s"]),
    ],
)
def test_here_what_has_no_meaning_is_named_in_one_line(line: str, told: list[str]) -> None:
    spec = asked(line)
    elsewhere.check(spec)
    assert elsewhere.remarks(spec) == told


@pytest.fixture(scope="module")
def data(there: Desk, cluster: Cluster) -> Iterator[str]:
    with claim(cluster, admin_of(there), "data") as found:
        yield found


@pytest.mark.cluster
def test_secrets_arrive_by_reference(there: Desk) -> None:
    space = admin_of(there)
    literals = ["--from-literal=TOKEN=s3cret", "--from-literal=key-name=other"]
    space.admin("create", "secret", "generic", "store", f"--namespace={space.name}", *literals)
    line = "%%kubetrain --cpus 100m --secret store --secret store:key-name=GREETING --returns seen"
    there.right(f"{line}\n{SEEN}")
    assert there.kernel.value("(seen['TOKEN'], seen['GREETING'])") == "('s3cret', 'other')"


@pytest.mark.cluster
def test_who_may_look_hears_of_a_missing_secret_before_anything_is_made(there: Desk) -> None:
    """As an administrator's right shows it; the right that users have by default is none."""
    space = admin_of(there)
    here = f"--namespace={space.name}"
    space.admin("create", "secret", "generic", "seen", here, "--from-literal=token=s3cret")
    space.admin("create", "role", "looks", here, "--verb=get,list", "--resource=secrets")
    account = f"--serviceaccount={space.name}:{ACCOUNT}"
    space.admin("create", "rolebinding", "looks", here, "--role=looks", account)
    try:
        can = ("auth", "can-i", "list", "secrets")
        eventually(lambda: space.kubectl(*can, check=False).stdout.strip() == "yes", "the right to look")
        before = there.left()
        for line, said in (("sene:token=TOKEN", "no Secret sene"), ("seen:tokn=TOKEN", "no key tokn; it has token")):
            ran = there.run(f"%%kubetrain --cpus 100m --secret {line}\nprint(1)")
            assert (ran.error, said in ran.message, ran.stdout) == ("NotFound", True, ""), ran
            assert suggested(ran) == "--secret seen:token=TOKEN"
        assert there.left() <= before
        there.right(
            "%%kubetrain --cpus 100m --secret seen:token=TOKEN\nimport os\nassert os.environ['TOKEN'] == 's3cret'"
        )
    finally:
        space.admin("delete", "rolebinding,role", "looks", here)


@pytest.mark.cluster
def test_what_one_job_writes_into_a_volume_the_next_one_reads(there: Desk, data: str) -> None:
    there.right(f"%%kubetrain --cpus 100m --volume {data}:/data/in\nopen('/data/in/x', 'w').write('written')")
    ran = there.right(
        f"%%kubetrain --cpus 100m --volume {data}:/data/in:ro --volume {data}:/data/out\n"
        "print(open('/data/in/x').read())\nopen('/data/out/y', 'w').close()\n"
        "try:\n    open('/data/in/z', 'w')\nexcept OSError as error:\n    print(error.strerror)"
    )
    assert "written\nRead-only file system\n" in ran.stdout


@pytest.mark.cluster
def test_a_claim_that_is_not_there_is_named_before_anything_is_created(there: Desk, data: str) -> None:
    before = there.left()
    line = "%%kubetrain --cpus 100m --volume date:/data"
    ran = there.run(f"{line}\nprint(1)")
    assert (ran.error, suggested(ran)) == ("NotFound", f"--volume {data}:/data"), ran
    assert f"there are {data}" in ran.message
    assert ran.stdout == ""  # no job has been named yet
    assert there.left() <= before
    there.right(f"{corrected(line, suggested(ran) or '')}\nprint(1)")


@pytest.mark.cluster
def test_a_claim_that_nothing_will_provide_for_is_refused(there: Desk, cluster: Cluster) -> None:
    space = admin_of(there)
    cluster.kubectl.apply(unbound(space, "nothing", None, {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}))
    ran = there.run("%%kubetrain --cpus 100m --cache nothing\nprint(1)")
    assert ran.error == "SubmitError", ran
    assert "--cache nothing: " in ran.message


@pytest.mark.cluster
def test_a_claim_of_one_pod_names_the_job_that_has_it(there: Desk, cluster: Cluster) -> None:
    space = admin_of(there)
    with claim(cluster, space, "single", ["ReadWriteOncePod"]) as name:
        there.right(
            "import kube_magics\ndef hold():\n    import time\n    time.sleep(60)\n"
            f"job = kube_magics.train(hold, volume='{name}:/data', name='holder', cpus='100m')"
        )
        # Its pod is what uses the claim, and comes a moment after the job.
        pods = ("get", "pods", f"--namespace={space.name}", "--selector=job-name=holder", "--output=name")
        eventually(lambda: cluster.kubectl(*pods).stdout, "the pod that has the claim")
        ran = there.run(f"%%kubetrain --cpus 100m --volume {name}:/data\nprint(1)")
        there.right("job.delete()")
    assert ran.error == "SubmitError", ran
    assert "ReadWriteOncePod" in ran.message
    assert "%kube stop holder" in ran.traceback


@pytest.mark.cluster
def test_a_volume_that_cannot_be_mounted_is_told_while_the_job_waits(there: Desk, cluster: Cluster) -> None:
    with claim(cluster, admin_of(there), "broken", mode=None) as name:
        request = there.kernel.send(f"%%kubetrain --cpus 100m --name waits --volume {name}:/data\nprint(1)")
        space = admin_of(there)
        eventually(lambda: _failed_mount(there), "an event of the pod")
        eventually(lambda: "cannot be mounted" in str(there.kernel.peek(request).cards), "the word on it")
        space.admin("delete", "job", "waits", f"--namespace={space.name}", "--wait=false")
        ran = there.kernel.finish(request)
    told = "".join(card["text/plain"] for card in ran.cards)
    assert "waits  A volume of the job cannot be mounted.\n" in told
    assert "hostPath type check failed" in told
    assert "cannot be mounted" not in ran.stderr, "once is enough"


def _failed_mount(desk: Desk) -> bool:
    space = admin_of(desk)
    found = space.admin.get("events", f"--namespace={space.name}", "--field-selector=reason=FailedMount")
    return bool(found["items"])


@pytest.mark.cluster
def test_a_job_keeps_its_own_log_on_a_volume(there: Desk, data: str) -> None:
    line = f"%%kubetrain --cpus 100m --volume {data}:/data"
    ran = there.run(f"{line} --log-to /logs/\nprint(1)")
    assert ran.error == "OptionError"
    assert suggested(ran) == "--log-to /data/"
    there.right(f"{line} --log-to /data/logs/ --name kept\nimport sys\nprint('out')\nprint('err', file=sys.stderr)")
    ran = there.right(f"{line}\nprint(open('/data/logs/kept.log').read(), end='')")
    assert "\nout\nerr\n" in ran.stdout


def test_here_a_job_keeps_its_own_log_too(here: Desk) -> None:
    here.right(f"%%kubetrain --log-to {here.folder}/own.log\nprint('out')")
    assert (here.folder / "own.log").read_text() == "out\n"
