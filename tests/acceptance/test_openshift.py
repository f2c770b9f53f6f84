"""Where the cluster assigns users: OpenShift refuses one outside the namespace's own range, and has API groups of its
own, of which one is added to the test cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.desk import Desk, admin_of, desk, eventually
from tests.cluster import Cluster

pytestmark = [pytest.mark.jobs, pytest.mark.cluster, pytest.mark.alone]

GROUP = "security.openshift.io"
CONSTRAINTS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"securitycontextconstraints.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Cluster",
        "names": {
            "plural": "securitycontextconstraints",
            "singular": "securitycontextconstraints",
            "kind": "SecurityContextConstraints",
            "shortNames": ["scc"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
def assigned(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user of such a cluster."""
    if cluster.is_given:
        pytest.skip("a given cluster is not made to look like another one")
    cluster.kubectl.apply(CONSTRAINTS)
    try:
        groups = ("--raw", "/apis")
        eventually(lambda: GROUP in cluster.kubectl("get", *groups).stdout, "the group")
        with desk(tmp_path_factory.mktemp("assigned"), cluster) as found:
            yield found
    finally:
        cluster.kubectl("delete", "crd", CONSTRAINTS["metadata"]["name"])  # type: ignore[index]
        eventually(lambda: GROUP not in cluster.kubectl("get", *groups).stdout, "its end")


def test_where_the_cluster_assigns_users_none_is_asked_for(assigned: Desk) -> None:
    space = admin_of(assigned)
    assigned.right("%%kubetrain --detach --name free --cpus 20m\nprint(1)")
    assigned.right("%%kubetrain --name named --cpus 20m --run-as 1234 --returns uid\nimport os\nuid = os.getuid()")
    assert assigned.kernel.value("uid") == "1234"
    free, named = (space.kubectl.get("job", name)["spec"]["template"]["spec"] for name in ("free", "named"))
    # OpenShift would give it a user: here it waits, for the image's own is root.
    assert free["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert named["securityContext"]["runAsUser"] == 1234
    assert "runAsUser" not in assigned.right("%%kubetrain --dry-run\nprint(1)").stdout
    assert "OpenShift" in assigned.right("%kube doctor").text
