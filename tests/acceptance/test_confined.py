"""As whom a job runs, and what it can reach, under every level of Pod Security."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.acceptance.desk import Desk, admin_of, desk
from tests.cluster import Cluster
from tests.cluster.namespaces import delete

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

OPEN_LEVELS = ("baseline", "privileged")
REACHES = """
import os, ssl, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
token = os.path.exists(folder)
server = os.environ["KUBERNETES_SERVICE_HOST"]
answers = []
for path in ("api/v1/namespaces/{0}/secrets", "api/v1/namespaces/{0}/pods", "apis/batch/v1/namespaces/{0}/jobs"):
    try:
        url = f"https://{{server}}/{{path.format('{space}')}}"
        urllib.request.urlopen(url, context=ssl._create_unverified_context(), timeout=20)
    except urllib.error.HTTPError as error:
        answers.append(error.code)
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A notebook with a context for a namespace of each level: that of `restricted` has the cluster's name, the others
    are called as their levels."""
    folder = tmp_path_factory.mktemp("levels")

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        path = folder / "config"
        with ExitStack() as exits:
            content = yaml.safe_load(kubeconfig.read_text())
            for level in OPEN_LEVELS:
                other = cluster.namespace(pod_security=level)
                exits.callback(delete, other)
                theirs = yaml.safe_load(other.kubeconfig.read_text())
                named = {"cluster": level, "user": level, "namespace": other.name}
                content["clusters"].append({"name": level, "cluster": theirs["clusters"][0]["cluster"]})
                content["users"].append({"name": level, "user": theirs["users"][0]["user"]})
                content["contexts"].append({"name": level, "context": named})
                label = "pod-security.kubernetes.io/warn=restricted"
                cluster.kubectl("label", "namespace", other.name, label)
            path.write_text(yaml.safe_dump(content))
            yield path

    with desk(folder, cluster, through=through) as found:
        yield found


def test_a_job_can_do_nothing_in_the_cluster(there: Desk) -> None:
    """No token, and a stranger's requests are refused."""
    space = admin_of(there).name
    there.right(f"%%kubetrain --cpus 100m --returns token,answers\n{REACHES.format('{0}', space=space)}")
    assert there.kernel.value("(token, set(answers) <= {401, 403}, len(answers))") == "(False, True, 3)"


def test_a_job_runs_in_namespaces_of_every_level(there: Desk) -> None:
    """Out of the box as Jupyter's user, without a warning; with --run-as as somebody else."""
    there.right("import kube_magics, os\ndef who():\n    import os\n    return os.getuid(), os.getgroups()")
    contexts = (admin_of(there).context, *OPEN_LEVELS)
    asked = [(context, user) for context in contexts for user in (None, "1234")]
    ran = there.right(
        f"jobs = [kube_magics.train(who, context=c, cpus='20m', **({{'run_as': u}} if u else {{}})) for c, u in {asked}]"
    )
    assert "warns" not in ran.stderr
    assert there.kernel.value("[job.result()[0] for job in jobs]") == str([1000, 1234] * 3)
    assert there.kernel.value("all(100 in job.result()[1] for job in jobs)") == "True"


def test_root_and_what_the_cluster_warns_of_are_said_once(there: Desk) -> None:
    first, second = (
        there.right("%%kubetrain --cpus 20m --context baseline --run-as 0 --returns uid\nimport os\nuid = os.getuid()")
        for _ in range(2)
    )
    assert there.kernel.value("uid") == "0"
    assert first.stderr.count('[kube_magics: the cluster warns: would violate PodSecurity "restricted') == 1
    assert "warns" not in second.stderr


def test_the_images_own_user_may_be_anybody_but_root(there: Desk) -> None:
    """That of the tests' image is root: said, with the way out."""
    before = there.left()
    ran = there.run("%%kubetrain --cpus 20m --run-as image\nprint(1)")
    assert (ran.error, "insists on root" in ran.message) == ("JobNotStarted", True), ran
    assert "--run-as 1000" in ran.traceback
    there.settles(before)
