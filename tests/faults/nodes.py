"""The right to read a node's files, which fills what its log rotation took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import Cluster, Namespace
from tests.cluster.namespaces import ACCOUNT

NODE_LOGS = Path("/var/log/pods")
"""Where a node serves them from; the test cluster keeps its own elsewhere, so that it leaves nothing here."""


class NotHere(Exception):
    """This machine cannot serve them; the text says why."""


@contextmanager
def may_read_nodes(space: Namespace, cluster: Cluster) -> Iterator[None]:
    """The user of `space` has the right `nodes/proxy`, and the node serves its files as others do. Raises NotHere."""
    if NODE_LOGS.exists():
        raise NotHere(f"{NODE_LOGS} of this machine belongs to something else")
    node = cluster.kubectl("get", "nodes", "--output=jsonpath={.items[0].metadata.name}").stdout
    config = json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/configz").stdout)
    kept = Path(config["kubeletconfig"]["podLogsDir"])
    if not kept.is_dir():
        raise NotHere("this machine is not the cluster's node")
    name = f"nodes-{space.name}"
    NODE_LOGS.symlink_to(kept)
    try:
        cluster.kubectl("create", "clusterrole", name, "--verb=get", "--resource=nodes/proxy")
        account = f"--serviceaccount={space.name}:{ACCOUNT}"
        cluster.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
        yield
    finally:
        NODE_LOGS.unlink()
        cluster.kubectl("delete", "clusterrolebinding,clusterrole", name, check=False)
