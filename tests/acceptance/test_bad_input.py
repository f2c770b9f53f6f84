"""Bad input, a row each: one clear error that says what to type; typing it works; nothing is created.

The kubeconfig names a cluster that does not answer: what is wrong here is told before anybody is asked, and `--dry-run`
shows that the way out works.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.acceptance.desk import NOWHERE, corrected, next_lines
from tests.acceptance.desk import suggested as command_of
from tests.kernel import Kernel

pytestmark = pytest.mark.jobs


@dataclass(frozen=True)
class Bad:
    """One wrong line or cell."""

    line: str
    says: str
    """Part of the sentence."""
    told: str = ""
    """What the `next:` line begins with."""
    body: str = "x = 1"
    error: str = "OptionError"
    good: str | None = None
    """The line that does what is told, where that is more than one option; None: the option that is told, typed."""
    good_body: str | None = None
    before: str = ""
    """A cell that runs first."""


LINES = (
    # unknown
    Bad("--gpu 1", "no option --gpu", "--gpus", good="--gpus 1"),
    Bad("--nproc-per-node 2", "no option --nproc-per-node", "--gpus", good="--gpus 2"),
    Bad("--max-restarts 2", "no option --max-restarts", "--retries", good="--retries 2"),
    Bad("--serviceaccount x", "no option --serviceaccount", "--service-account", good="--service-account x"),
    Bad("--nonsense", "no option --nonsense", "%%kubetrain?", good=""),
    Bad("gpus=1", "options only", "--gpus", good="--gpus 1"),
    Bad("--detach=maybe", "only true or false", "--detach=true", good="--detach=true"),
    Bad("--trust", "no option --trust", "%%kubetrain?", good=""),
    # amounts
    Bad("--gpus -1", "no node has that many", "--gpus 1"),
    Bad("--gpus 1.5", "not a whole number", "--gpus 1"),
    Bad("--gpus 1e9", "not a whole number", "--gpus 1"),
    Bad("--gpus 1000000", "no node has that many", "--gpus 8"),
    Bad("--gpu-resource a100 --gpus 1", "no resource of a node", "--gpu-resource nvidia.com/gpu"),
    Bad("--memory 2GB", "not an amount of memory", "--memory 2Gi"),
    Bad("--memory 1,5Gi", "not an amount of memory", "--memory 1.5Gi"),
    Bad("--memory 16", "too little", "--memory 16Gi"),
    Bad("--memory=-1Gi", "not an amount of memory", "--memory 8Gi"),
    Bad("--cpus 0", "needs some CPU", "--cpus 500m"),
    Bad("--cpus 1,5", "not a number of cores", "--cpus 1.5"),
    Bad("--cpus 100000", "no node has that many", "--cpus 4"),
    Bad("--shm=lots", "not an amount of memory", "--shm 8Gi"),
    Bad("--timeout 0", "needs some time", "--timeout 2h"),
    Bad("--timeout 1.5h", "not a duration", "--timeout 2h"),
    Bad("--timeout 99999d", "longer than any job", "--timeout 30d"),
    Bad("--grace 2d", "within a day", "--grace 5m"),
    Bad("--ttl forever", "not a duration", "--ttl 2h"),
    Bad("--retries -1", "from 0 to 100", "--retries 3"),
    Bad("--retries many", "from 0 to 100", "--retries 3"),
    Bad("--ttl 99999d", "longer than any job", "--ttl 30d"),
    Bad("--grace 25h", "within a day", "--grace 5m"),
    # what the site allows, as the environment says it
    Bad("--gpus 17", "this site allows a job 16", "--gpus 16", error="NotAllowed"),
    Bad("--cpus 65", "this site allows a job 64", "--cpus 64", error="NotAllowed"),
    # names
    Bad("--name 'My Job'", "a-z, 0-9", "--name my-job"),
    Bad(f"--name {'n' * 64}", "64 characters", f"--name {'n' * 52}"),
    Bad("--name größe", "a-z, 0-9", "--name gr-e"),
    Bad("--namespace Team_A", "no namespace's name", "--namespace team-a"),
    Bad("--context nowhere", "no context nowhere", "--context lab", error="ConfigError"),
    Bad("--backend slurm", "no such backend", "--backend local", good="--backend kubernetes"),
    Bad("--priority 'Very High'", "no priority class's name", "--priority very-high"),
    Bad("--queue Team_A", "no queue's name", "--queue team-a"),
    Bad("--service-account a:b", "no service account's name", "--service-account a-b"),
    Bad("--image-pull-secret A_B", "no Secret's name", "--image-pull-secret a-b"),
    Bad("--cache 'my claim'", "no claim's name", "--cache my-claim"),
    Bad("--run-as root", "a user id, or image", "--run-as 0"),
    Bad("--run-as=-1", "a user id, or image", "--run-as 1000"),
    # labels that Kubernetes refuses
    Bad("--labels team", "not KEY=VALUE", "--labels team=yes"),
    Bad("--labels 'team=a b'", "at most 63", "--labels team=a-b"),
    Bad(f"--labels team={'x' * 64}", "at most 63", f"--labels team={'x' * 63}"),
    Bad("--labels kube-magics.dev/job=x", "belongs to", "--labels my-job=x"),
    Bad("--annotations 'a b=c'", "not KEY=VALUE", "--annotations a-b=c"),
    Bad("--node-selector gpu", "not KEY=VALUE", "--node-selector gpu=yes"),
    Bad("--toleration spot:Never", "effects of taints", "--toleration spot:NoSchedule"),
    # environment, secrets, volumes, paths
    Bad("--env A", "not NAME=VALUE", "--env A=1"),
    Bad("--env '1A=2'", "not NAME=VALUE", "--env A=2"),
    Bad("--env KUBE_MAGICS_STOP=x", "the job's own", "--env MY_KUBE_MAGICS_STOP=x"),
    Bad("--env API_TOKEN=abcdefgh12345678", "token", "--secret NAME:KEY=API_TOKEN", good="--secret s:token=API_TOKEN"),
    Bad("--secret s:", "comes KEY=VARIABLE", "--secret s:token=TOKEN"),
    Bad("--volume data", "not CLAIM:/path", "--volume data:/data"),
    Bad("--volume data:relative", "not CLAIM:/path", "--volume data:/data"),
    Bad("--volume data:/tmp", "belongs to the container", "--volume data:/data"),
    Bad(r"--volume 'data:C:\data'", "not CLAIM:/path", "--volume data:/data"),
    Bad("--log-to logs/", "not an absolute path", "--log-to /data/logs/", good="--log-to /data/logs/ --volume c:/data"),
    Bad("--log-to /data/x", "on no volume", "--log-to /data/data/x", good="--log-to /data/x --volume c:/data"),
    Bad("--workdir ../run", "not an absolute path", "--workdir /run"),
    Bad(r"--workdir 'C:\run'", "not an absolute path", "--workdir /", good="--workdir /run"),
    Bad("--artifacts bucket", "neither a URL", "--artifacts s3://bucket/folder", good="--artifacts /mnt/store"),
    Bad("--artifacts s3://key:secret@b/f", "holds credentials", "--artifacts s3://bucket/folder", good=""),
    Bad("--returns-files /etc/passwd", "only files of the job's working folder", "--returns-files", good=""),
    Bad("--files nothing-here.csv", "nothing-here.csv", "", good=""),
    Bad("--files ../secret.txt", "../secret.txt", "", good=""),
    Bad("-r absent.txt", "absent.txt", "", good=""),
    Bad("--pip=--index-url=x", "not a requirement", '--pip "tqdm torch==2.6"', good="--pip tqdm"),
    Bad("--pip 'none torch'", "stand alone", '--pip "torch"', good="--pip torch"),
    # names that come back
    Bad("--returns 1x", "not a Python name", "--returns model,score", good="--returns x"),
    Bad("--returns class", "not a Python name", "--returns model,score", good="--returns x"),
    Bad("--returns x,x", "names x twice", "--returns x"),
    Bad("--returns x, y", "commas alone", "--returns x,y", body="x = y = 1"),
    Bad("--returns never", "never sets never", "set never", error="CellError", good="--returns x"),
    # the line itself
    Bad("--gpus $missing", "$missing", "define missing", good="--gpus 1"),
    Bad("--name 'abc", "No closing quotation", "close the quote", good="--name abc"),
    # the cell
    Bad("", "is empty", "write code below", body="", error="CellError", good="", good_body="x = 1"),
    Bad("", "is empty", "write code below", body="# later", error="CellError", good="", good_body="x = 1"),
    Bad("", "Line 2", "correct line 2", body="x = = 1", error="CellError", good="", good_body="x = 1"),
    Bad(
        "", "Line 4", "correct line 4", body="if 1:\n    x = 1\n\ty = 2", error="CellError", good="", good_body="x = 1"
    ),
    Bad(
        "",
        "'nobody_has_it' is not defined",
        "run the cell",
        body="nobody_has_it + 1",
        error="UndefinedName",
        good="",
        good_body="x = 1",
    ),
    Bad(
        "",
        "MB",
        "",
        body="len(large)",
        before="import os\nlarge = os.urandom(20_000_000)",
        error="SubmitError",
        good="",
        good_body="x = 1",
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    (folder / "kubeconfig").write_text(yaml.safe_dump(NOWHERE))
    (folder / "secret.txt").touch()
    (folder / "work").mkdir()
    (folder / "work" / "d.txt").touch()
    environment = {
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "KUBE_MAGICS_STATE": str(folder / "state"),
        "KUBE_MAGICS_CONTEXT": "lab",
        "KUBE_MAGICS_MAX_GPUS": "16",
        "KUBE_MAGICS_MAX_CPUS": "64",
    }
    with Kernel(folder / "work", environment) as made:
        assert made.run("%load_ext kube_magics").error is None
        yield made


def left(folder: Path) -> list[str]:
    """All files that there are, but for what IPython keeps."""
    return sorted(str(path) for path in folder.rglob("*") if ".ipython" not in path.parts)


@pytest.mark.parametrize("bad", LINES, ids=[json.dumps(bad.line or bad.body)[:40] for bad in LINES])
def test_one_clear_error_that_says_what_to_type(kernel: Kernel, folder: Path, bad: Bad) -> None:
    if bad.before:
        assert kernel.run(bad.before).error is None
    before = left(folder)
    ran = kernel.run(f"%%kubetrain --dry-run {bad.line}\n{bad.body}")
    assert ran.error == bad.error, ran
    assert bad.says in ran.message.splitlines()[0]
    assert len(ran.traceback.splitlines()) <= 8, ran.traceback
    assert next_lines(ran).startswith(bad.told)
    assert left(folder) == before
    assert not ran.stdout
    line = bad.good
    if line is None:
        command = command_of(ran)
        assert command is not None, ran.traceback
        line = corrected(bad.line, command)
    good = kernel.run(f"%%kubetrain --dry-run {line}\n{bad.body if bad.good_body is None else bad.good_body}")
    assert good.error is None, good
    assert "kind: Job" in good.stdout


def test_there_are_enough_of_them() -> None:
    assert len(LINES) >= 60
