"""As whom a job runs, and what it can reach: under every level of Pod Security, and where the cluster assigns users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.acceptance.desk import Desk, admin_of, desk
from tests.acceptance.gate import Gate, gate
from tests.cluster import Cluster, Namespace
from tests.cluster.kubectl import Kubectl
from tests.cluster.namespaces import delete

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

OPEN_LEVELS = ("baseline", "privileged")
OPENSHIFT = "security.openshift.io"
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
def levels(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[tuple[Desk, Gate]]:
    """A notebook with a context for a namespace of each level: that of `restricted` has the cluster's name and is
    reached through a gate, the others are called as their levels."""
    folder = tmp_path_factory.mktemp("levels")
    gates: list[Gate] = []

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        user = Kubectl(cluster.kubectl.program, kubeconfig)
        space = Namespace(kubeconfig.stem, kubeconfig, cluster.context, user, cluster.kubectl)
        with ExitStack() as exits:
            made, path = exits.enter_context(gate(space, folder))
            gates.append(made)
            content = yaml.safe_load(path.read_text())
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
        yield found, gates[0]


def test_a_job_can_do_nothing_in_the_cluster(levels: tuple[Desk, Gate]) -> None:
    """No token, and a stranger's requests are refused."""
    there, _ = levels
    space = admin_of(there).name
    there.right(f"%%kubetrain --cpus 100m --returns token,answers\n{REACHES.format('{0}', space=space)}")
    assert there.kernel.value("(token, set(answers) <= {401, 403}, len(answers))") == "(False, True, 3)"


def test_a_job_runs_in_namespaces_of_every_level(levels: tuple[Desk, Gate]) -> None:
    """Out of the box as Jupyter's user, without a warning; with --run-as as somebody else."""
    there, _ = levels
    there.right("import kube_magics, os\ndef who():\n    import os\n    return os.getuid(), os.getgroups()")
    contexts = (admin_of(there).context, *OPEN_LEVELS)
    asked = [(context, user) for context in contexts for user in (None, "1234")]
    ran = there.right(
        f"jobs = [kube_magics.train(who, context=c, cpus='20m', **({{'run_as': u}} if u else {{}})) for c, u in {asked}]"
    )
    assert "warns" not in ran.stderr
    assert there.kernel.value("[job.result()[0] for job in jobs]") == str([1000, 1234] * 3)
    assert there.kernel.value("all(100 in job.result()[1] for job in jobs)") == "True"


def test_root_and_what_the_cluster_warns_of_are_said_once(levels: tuple[Desk, Gate]) -> None:
    there, _ = levels
    first, second = (
        there.right("%%kubetrain --cpus 20m --context baseline --run-as 0 --returns uid\nimport os\nuid = os.getuid()")
        for _ in range(2)
    )
    assert there.kernel.value("uid") == "0"
    assert first.stderr.count('[kube_magics: the cluster warns: would violate PodSecurity "restricted') == 1
    assert "warns" not in second.stderr


def test_the_images_own_user_may_be_anybody_but_root(levels: tuple[Desk, Gate]) -> None:
    """That of the tests' image is root: said, with the way out."""
    there, _ = levels
    before = there.left()
    ran = there.run("%%kubetrain --cpus 20m --run-as image\nprint(1)")
    assert (ran.error, "insists on root" in ran.message) == ("JobNotStarted", True), ran
    assert "--run-as 1000" in ran.traceback
    there.settles(before)


def test_where_the_cluster_assigns_users_none_is_asked_for(levels: tuple[Desk, Gate]) -> None:
    """OpenShift refuses a user or group outside the namespace's own range; it has an API group of its own."""
    there, between = levels
    between.more_groups.append(OPENSHIFT)
    # What a cluster is like is asked once a context: another namespace's is another one.
    space = admin_of(there)
    there.right(
        f"free = kube_magics.train(who, namespace={space.name!r}, name='free', cpus='20m')\n"
        f"named = kube_magics.train(who, namespace={space.name!r}, name='named', cpus='20m', run_as='1234')"
    )
    assert there.kernel.value("named.result()[0]") == "1234"
    free, named = (space.kubectl.get("job", name)["spec"]["template"]["spec"] for name in ("free", "named"))
    assert free["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert named["securityContext"]["runAsUser"] == 1234
    there.right("free.delete()")
    assert "runAsUser" not in there.right(f"%%kubetrain --dry-run --namespace {space.name}\nprint(1)").stdout
