"""Shared folders as an administrator provides them: a volume of manifests/shared-volume.yaml for each namespace.

All of one folder, which is the node's here, and a file server's elsewhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from userspace.settings import Share, User

from tests.cluster import Cluster
from tests.cluster.claims import ROOT, on_node
from tests.cluster.paths import CHECKOUT

_MANIFEST = CHECKOUT / "hub-config" / "manifests" / "shared-volume.yaml"


@contextmanager
def shared(cluster: Cluster, shares: Sequence[Share], users: Sequence[User]) -> Iterator[None]:
    """A volume of each share for each user; each folder has a file `about.txt` with the share's name in it."""
    top = f"{ROOT}/{secrets.token_hex(4)}"
    folders = {share: f"{top}/{share.name}" for share in shares}
    volumes = [_volume(share, user, folder) for share, folder in folders.items() for user in users]
    made = [
        f"mkdir -p {folder} && chmod 2777 {folder} && printf {share.name} > {folder}/about.txt"
        for share, folder in folders.items()
    ]
    try:
        on_node(cluster, " && ".join(made))
        cluster.kubectl.apply(*volumes)
        yield
    finally:
        names = [each["metadata"]["name"] for each in volumes]
        cluster.kubectl("delete", "pv", *names, "--wait=false", "--ignore-not-found", check=False)
        on_node(cluster, f"rm -rf {top}")


def _volume(share: Share, user: User, folder: str) -> dict[str, Any]:
    """As the file says it; a folder of the node in the place of the file server's."""
    text = _MANIFEST.read_text().replace("USER", user.name).replace("shared-vision", share.name)
    made: dict[str, Any] = yaml.safe_load(text)
    del made["spec"]["nfs"]
    made["spec"]["hostPath"] = {"path": folder, "type": "Directory"}
    return made
