"""`%kube jobs | logs | stop | delete | gpus | config`, on our jobs and on those that kubectl made."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from kube_magics import errors
from tests.acceptance.belongings import belongings, deleted, only
from tests.acceptance.desk import Desk, admin_of, environment, eventually, without
from tests.cluster import Cluster

pytestmark = pytest.mark.jobs

# Says what it hears; ends at TERM or INT within the grace.
LISTENS = """
import kube_magics, signal, sys, time
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append('TERM'))
signal.signal(signal.SIGINT, lambda *_: heard.append('INT'))
print('up', flush=True)
while not heard:
    time.sleep(0.05)
print('heard', heard[0], kube_magics.should_stop(), flush=True)
time.sleep(0.2)
print('saved', flush=True)
"""


def shown(desk: Desk, name: str) -> str:
    """The job's line in `%kube jobs`; empty: none."""
    found = re.search(rf"^{name} .*$", desk.right("%kube jobs").text, re.MULTILINE)
    return found[0] if found else ""


def job_of(desk: Desk, name: str) -> Any:
    return admin_of(desk).kubectl.get("job", name)


def train(desk: Desk, name: str, body: str, options: str = "") -> None:
    """Submit `body` as a function's job that nobody waits for, bound to `job`."""
    indented = "".join(f"    {line}\n" for line in body.strip().splitlines())
    desk.right(f"import kube_magics\ndef work():\n{indented}\njob = kube_magics.train(work, name={name!r}{options})")


def kube_magics(desk: Desk, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    named = {key: value for key, value in {**environment(desk), **more}.items() if value}
    named |= {"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "kube_magics.terminal", *words]
    return subprocess.run(command, cwd=desk.folder, env=named, capture_output=True, text=True, check=False)


@pytest.fixture
def by_kubectl(there: Desk, cluster: Cluster) -> Iterator[str]:
    """A Job that knows nothing of us, printing a line, waiting, then another."""
    space = admin_of(there)
    space.kubectl.apply(kubectl_job("plain", cluster.images.quickstart))
    yield "plain"
    space.kubectl("delete", "job", "plain", "--ignore-not-found", "--wait=false", "--cascade=background")


def kubectl_job(name: str, image: str) -> dict[str, Any]:
    script = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('told to end'))\n"
        "print('one', flush=True)\ntime.sleep(60)\nprint('two')"
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 5,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 1000,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "theirs",
                            "image": image,
                            "command": ["python3", "-u", "-c", script],
                            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        }
                    ],
                }
            },
        },
    }


def test_no_jobs_yet(anywhere: Desk) -> None:
    assert anywhere.right("%kube jobs").text.startswith("no jobs on ")


def test_logs_while_running_and_after(anywhere: Desk) -> None:
    """The same text from this kernel, as from any: `%kube logs` asks where the job ran."""
    train(
        anywhere,
        "told",
        "print('one', flush=True)\nimport sys, time\nprint('err', file=sys.stderr, flush=True)\n" + LISTENS,
    )
    anywhere.says("told", "up\n")
    # On a busy node its status says so a moment after its first line.
    eventually(lambda: shown(anywhere, "told").split()[1] == "running", "its state")
    # Two streams: what was printed within a millisecond may change places.
    assert sorted(anywhere.right("%kube logs told").stdout.splitlines()) == ["err", "one", "up"]
    assert "told (running): Nothing is wrong: it runs since 20" in anywhere.right("%kube why told").text
    anywhere.right("job.stop(); job.wait()")
    assert json.loads(anywhere.right("%kube why told --json").stdout)["cause"] == "stopped"
    after = anywhere.right("%kube logs told").stdout
    assert sorted(after.splitlines()[:3]) == ["err", "one", "up"], after
    assert after.splitlines()[3].startswith("heard "), after
    assert after.endswith("saved\n")
    anywhere.right("%kube delete told")
    assert not shown(anywhere, "told")


def test_stop_gives_its_grace_and_keeps_the_log(anywhere: Desk) -> None:
    before = anywhere.left()
    train(anywhere, "asked", LISTENS)
    anywhere.says("asked", "up\n")
    said = anywhere.right("%kube stop asked").stdout
    assert "its log stays" in said
    anywhere.right("try:\n    job.result()\nexcept Exception as error:\n    how = type(error).__name__")
    assert anywhere.kernel.value("how") == "'JobStopped'"
    log = anywhere.right("%kube logs asked").stdout
    assert "heard TERM True\nsaved\n" in log
    eventually(lambda: "stopped" in shown(anywhere, "asked"), "the end of the job")
    assert "over already" in anywhere.right("%kube stop asked").stdout
    anywhere.right("%kube delete asked")
    anywhere.settles(before | {"log asked.log"})


def test_stop_of_a_program_that_asks(anywhere: Desk) -> None:
    """should_stop() alone is enough: no signal ends the program before it has saved; its values come back."""
    train(
        anywhere,
        "asks",
        "import kube_magics, time\nkube_magics.should_stop()\nprint('up', flush=True)\n"
        "while not kube_magics.should_stop():\n    time.sleep(0.05)\ntime.sleep(0.2)\nprint('saved', flush=True)",
    )
    anywhere.says("asks", "up\n")
    anywhere.right("%kube stop asks")
    anywhere.right("job.wait()")
    assert anywhere.right("%kube logs asks").stdout == "up\nsaved\n"
    anywhere.right("%kube delete asks")


@pytest.mark.cluster
def test_stop_lowers_the_deadline_of_the_pod(there: Desk) -> None:
    train(there, "lowered", LISTENS)
    there.says("lowered", "up\n")
    there.right("%kube stop lowered")
    there.right("job.wait()")
    pod = eventually(
        lambda: [
            pod
            for pod in admin_of(there).kubectl.get("pods", "-l", "job-name=lowered")["items"]
            if pod["status"].get("reason") == "DeadlineExceeded"
        ],
        "the pod, kept as failed",
    )[0]
    assert pod["spec"]["activeDeadlineSeconds"] == 1
    assert "suspend" not in job_of(there, "lowered")["spec"] or not job_of(there, "lowered")["spec"]["suspend"]
    there.right("%kube delete lowered")


@pytest.mark.cluster
def test_stop_without_the_right_to_patch_pods_suspends_and_says_so(there: Desk) -> None:
    train(there, "suspended", LISTENS)
    there.says("suspended", "up\n")
    with without(admin_of(there), "pods", "patch"):
        said = there.right("%kube stop suspended").stdout
    assert "suspending" in said
    assert "`patch pods`" in said
    assert job_of(there, "suspended")["spec"]["suspend"] is True
    there.right("job.wait()")
    # The pod and its log are gone from the cluster; what was followed is not.
    eventually(lambda: "suspended" in shown(there, "suspended").split()[1:2], "the state of the job")
    assert "heard TERM True\nsaved\n" in there.log("suspended")
    # For a moment the pod is there without its log.
    assert "heard TERM True\nsaved\n" in there.right("%kube logs suspended").stdout
    there.right("%kube delete suspended")


@pytest.mark.cluster
def test_stop_of_a_job_that_waits_suspends_it(there: Desk) -> None:
    train(there, "waits", "print('never')", ", gpus=64")
    eventually(lambda: "Not enough free GPUs" in there.right("%kube jobs").text, "why it waits")
    assert "pending" in shown(there, "waits")
    said = there.right("%kube stop waits").stdout
    assert "had not started" in said
    assert job_of(there, "waits")["spec"]["suspend"] is True
    ran = there.run("job.result()")
    assert ran.error == errors.JobStopped.__name__, ran
    assert ran.message.startswith("Job waits was stopped before it started."), ran
    eventually(lambda: "suspended" in shown(there, "waits"), "the state of the job")
    there.right("%kube delete waits")


@pytest.mark.cluster
def test_a_job_of_kubectl(there: Desk, by_kubectl: str) -> None:
    before = there.left()
    eventually(lambda: there.right("%kube logs plain").stdout == "one\n", "its first line")
    eventually(lambda: "running" in shown(there, "plain"), "its state")
    assert shown(there, "plain").endswith("-"), "it comes from no notebook"
    said = there.right("%kube stop plain").stdout
    assert "its log stays" in said
    eventually(lambda: "stopped" in shown(there, "plain"), "its end")
    assert there.right("%kube logs plain").stdout == "one\ntold to end\n"
    there.right("%kube delete plain")
    there.settles(before - {left for left in before if "plain" in left})
    eventually(lambda: not [left for left in there.left() if "plain" in left], "the end of its pod")


@pytest.mark.cluster
def test_delete_leaves_nothing_of_any_kind(there: Desk) -> None:
    """Of a job with a bundle of its own objects, while it runs; and another job's are not touched."""
    there.right("import os\nballast = os.urandom(1_000_000)")
    for name in ("stays", "goes"):
        there.right(
            f"%%kubetrain --detach --name {name} --cpus 100m\nimport time\nprint(len(ballast))\ntime.sleep(100)"
        )
    there.says("goes", "1000000\n")
    only(there, "stays", "goes")
    assert sorted(each.partition("-")[0] for each in belongings(admin_of(there))["goes"]) == [
        "configmap/goes",
        "configmap/goes",
        "job.batch/goes",
        "pod/goes",
    ]
    deleted(there, "goes")
    only(there, "stays")
    deleted(there)


@pytest.mark.cluster
def test_gpus_with_and_without_the_right_to_see_nodes(there: Desk, cluster: Cluster) -> None:
    """An ordinary user sees the GPUs of their own jobs; an administrator all of them."""
    train(there, "holds", LISTENS, ", gpus=1")
    there.says("holds", "up\n")
    own = there.right("%kube gpus").text
    node = next(iter(cluster.kubectl.get("nodes")["items"]))
    name, product = node["metadata"]["name"], node["metadata"]["labels"]["nvidia.com/gpu.product"]
    assert re.search(rf"^{name} +\? +\? +1 +\?$", own, re.MULTILINE), own
    assert "You may not list nodes" in own
    there.right(
        f"import os\nkubeconfig = os.environ['KUBECONFIG']\nos.environ['KUBECONFIG'] = {str(cluster.admin_kubeconfig)!r}"
    )
    try:
        everything = there.right("%kube gpus").text
    finally:
        there.right("os.environ['KUBECONFIG'] = kubeconfig")
    total = int(node["status"]["allocatable"]["nvidia.com/gpu"])
    found = re.search(rf"^{name} +{product} +{total} +(\d+) +(\d+)$", everything, re.MULTILINE)
    assert found, everything
    assert int(found[1]) >= 1
    assert int(found[1]) + int(found[2]) == total
    assert "You may not" not in everything
    there.right("%kube stop holds")
    there.right("job.wait()")
    there.right("%kube delete holds")


def test_gpus_of_a_machine_without(here: Desk) -> None:
    assert "No NVIDIA GPU is found" in here.right("%kube gpus").text


def test_config(anywhere: Desk) -> None:
    shows = anywhere.right("%kube config").stdout
    assert f"jobs run on {'local' if anywhere.space is None else 'kubernetes (context '}" in shows
    assert re.search(
        r"^backend +local +%kube config$", anywhere.right("%kube config backend=local").stdout, re.MULTILINE
    )
    assert "local (" in anywhere.right("%%kubetrain\nprint('ran')").stdout
    assert re.search(r"^backend +- +default$", anywhere.right("%kube config backend=").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("typed", "error"),
    [("%kube config context=nowhere", errors.ConfigError), ("%kube config backend=docker", errors.OptionError)],
)
def test_a_setting_that_leads_nowhere_is_not_kept(anywhere: Desk, typed: str, error: type) -> None:
    assert anywhere.run(typed).error == error.__name__
    anywhere.right("%kube config")


@pytest.mark.parametrize(
    ("typed", "says", "next_line"),
    [
        ("%kube job", "no verb job", "%kube jobs"),
        ("%kube log x", "no verb log", "%kube logs"),
        ("%kube logs", "takes the name of one job", "%kube jobs"),
        ("%kube logs a b", "takes the name of one job", "%kube jobs"),
        ("%kube logs -x a", "no option -x", "%kube logs -h"),
        ("%kube logs absent -f", "absent", "%kube jobs"),
        ("%kube logs --previous -f a", "nothing to follow", "%kube logs a --previous"),
        ("%kube describe absent", "absent", "%kube jobs"),
        ("%kube yaml absent", "absent", "%kube jobs"),
        ("%kube jobs --sort-by price", "no column price", "--sort-by"),
        ("%kube jobs --status done", "the states of a job are", "--status"),
        ("%kube jobs -o json", "no option -o", "--json"),
        ("%kube logs absent", "absent", "%kube jobs"),
        ("%kube stop absent", "absent", "%kube jobs"),
        ("%kube delete absent", "absent", "%kube jobs"),
        ("%kube delete ''", "'' is no job's name", "%kube jobs"),
        ("%kube delete ../pods/x", "no job's name", "%kube jobs"),
        ("%kube stop train*", "no job's name", "%kube jobs"),
        ("%kube jobs --namespace ../x", "no namespace's name", "--namespace x"),
        ("%kube config namespace=a/b", "no namespace's name", "%kube config namespace=a-b"),
        ("%kube jobs now", "takes no name", "%kube jobs"),
        ("%kube config contxt=lab", "no setting contxt", "%kube config context"),
    ],
)
def test_mistakes(anywhere: Desk, typed: str, says: str, next_line: str) -> None:
    ran = anywhere.run(typed)
    assert ran.error in ("OptionError", "NotFound"), ran
    assert says in ran.traceback
    assert f"  next: {next_line}" in ran.traceback


def test_help(here: Desk) -> None:
    assert "%kube jobs" in here.right("%kube").stdout
    assert "%kube jobs" in here.right("%kube help").stdout
    for typed in ("%kube logs -h", "%kube help logs", "%kube logs x --help"):
        assert "--previous" in here.right(typed).stdout
    assert "--gpus N" in here.right("%kube run -h").stdout


def test_several_at_once(here: Desk) -> None:
    """Each is reported; one that is not there keeps none of the others."""
    for name in ("one", "two"):
        here.right(f"%%kubetrain --detach --name {name}\nimport time; print('up', flush=True); time.sleep(60)")
        here.says(name, "up\n")
    stopped = here.run("%kube stop one absent two")
    assert stopped.stdout.count("is being stopped") == 2
    assert stopped.error == "NotFound"
    assert "1 of 3 jobs were not stopped: absent" in stopped.traceback
    gone = here.right("%kube delete one two").stdout
    assert gone.count("is deleted") == 2
    assert not shown(here, "one")


def test_values_of_a_notebooks_job_stay_for_the_notebook(here: Desk) -> None:
    """A terminal shows how it ended; loaded there, they would be lost with the process and count as fetched."""
    here.right("%%kubetrain --detach --name keeps --returns n\nprint('up')\nn = 42")
    done = kube_magics(here, "attach", "keeps")
    assert (done.returncode, done.stdout) == (0, "up\n"), done
    here.right("%kube attach keeps")
    assert here.kernel.value("n") == "42"
    here.right("%kube delete keeps")


def test_a_table_is_a_value(here: Desk) -> None:
    """HTML for the notebook, a text for all else; pandas is imported for nobody."""
    here.right("%%kubetrain --name tabled\nprint('<b>')")
    ran = here.right("%kube jobs")
    (bundle,) = (content for kind, content in ran.shown if kind == "display")
    assert "<td" in bundle["text/html"]
    assert bundle["text/plain"].startswith("NAME ")
    ran = here.right("found = %kube jobs\nprint(found.records[0]['name'])\nimport sys\nprint('pandas' in sys.modules)")
    assert ran.text == "tabled\nFalse\n"
    assert '"tabled"' in here.right("%kube jobs --json").stdout
    assert "no YAML of it" in here.run("%kube yaml tabled").traceback
    assert "this machine" in here.right("%kube nodes").text
    told = here.right("%kube describe tabled").text
    assert "succeeded" in told
    assert "with exit code 0" in told
    assert "the job has succeeded" in here.right("%kube events tabled").text
    assert here.right("%kube logs tabled -f").stdout == "<b>\n"


def test_a_dataframe_for_who_works_with_pandas(here: Desk) -> None:
    """The last test of this kernel: it has pandas from here on."""
    ran = here.right("import pandas\nfound = %kube jobs --status succeeded\nprint(type(found) is pandas.DataFrame)")
    assert ran.text == "True\n"
    assert here.kernel.value("'tabled' in list(found.name)") == "True"
    assert here.kernel.value("bool(found.duration_s[0] > 0)") == "True"
    here.right("%kube delete tabled")
