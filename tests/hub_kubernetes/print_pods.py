"""A program: the server's pod of every profile that a user may have, as KubeSpawner makes it by hub-config, as JSON.

print_pods.py USER GROUP: of a user with that name, in that group. TEST_CONFIG: another jupyterhub_config.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

FILE = Path(
    os.environ.get("TEST_CONFIG") or Path(__file__).resolve().parents[2] / "hub-config" / "jupyterhub_config.py"
)


async def pod(config: Config, user: SimpleNamespace, slug: str) -> Any:
    spawner = KubeSpawner(config=config, user=user, user_options={"profile": slug}, _mock=True)
    await spawner.load_user_options()
    made = spawner.modify_pod_hook(spawner, await spawner.get_pod_manifest())
    async with ApiClient() as client:
        return client.sanitize_for_serialization(made)


async def main(name: str, group: str) -> None:
    config = PyFileConfigLoader(FILE.name, path=str(FILE.parent)).load_config()
    groups = [SimpleNamespace(name=group)]
    user = SimpleNamespace(name=name, id=1, url=f"/user/{name}", escaped_name=name, groups=groups)
    spawner = KubeSpawner(config=config, user=user, _mock=True)
    slugs = [each["slug"] for each in spawner.profile_list(spawner)]
    print(json.dumps({slug: await pod(config, user, slug) for slug in slugs}))


asyncio.run(main(*sys.argv[1:]))
