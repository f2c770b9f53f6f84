"""A program: the server's pod of every profile, as KubeSpawner makes it by hub-config, as JSON by profile.

print_pods.py USER GROUP: of a user with that name, in that group.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kubernetes_asyncio.client import ApiClient
from kubespawner import KubeSpawner
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

FOLDER = Path(__file__).resolve().parents[2] / "hub-config"


async def pod(config: Config, user: SimpleNamespace, slug: str) -> Any:
    spawner = KubeSpawner(config=config, user=user, user_options={"profile": slug}, _mock=True)
    await spawner.load_user_options()
    made = spawner.modify_pod_hook(spawner, await spawner.get_pod_manifest())
    async with ApiClient() as client:
        return client.sanitize_for_serialization(made)


async def main(name: str, group: str) -> None:
    config = PyFileConfigLoader("jupyterhub_config.py", path=str(FOLDER)).load_config()
    import profiles

    groups = [SimpleNamespace(name=group)]
    user = SimpleNamespace(name=name, id=1, url=f"/user/{name}", escaped_name=name, groups=groups)
    print(json.dumps({each.slug: await pod(config, user, each.slug) for each in profiles.PROFILES}))


asyncio.run(main(*sys.argv[1:]))
