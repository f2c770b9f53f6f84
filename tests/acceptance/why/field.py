"""Where causes are planted, and the question why."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.cluster import auth
from kube_magics.telemetry.why import CAUSE, Why, why
from tests.acceptance.desk import eventually
from tests.acceptance.why.planted import HOOK, Manifest, Planted
from tests.cluster import Cluster, Namespace
from tests.cluster.paths import NODE

PATIENCE_S = 120.0
SILENT = ("exit", "signal")
"""Of which nobody need have said a word."""


@dataclass(frozen=True)
class Field:
    cluster: Cluster
    spaces: Mapping[str, Namespace]
    registry: str = ""

    def plant(self, jobs: Mapping[str, tuple[Manifest, str]]) -> None:
        """`jobs`: each with where it is to be."""
        self.cluster.kubectl.apply(*(self.placed(name, job, where) for name, (job, where) in jobs.items()))

    def placed(self, name: str, manifest: Manifest, where: str) -> Manifest:
        filled = json.dumps(manifest).replace("$NODE", NODE).replace("$REGISTRY", self.registry)
        for mark, image in (("$IMAGE", "quickstart"), ("$TORCH", "torch")):
            if mark in filled:
                filled = filled.replace(mark, self.cluster.ensure_image(image))
        made: Manifest = json.loads(filled)
        return made | {"metadata": {**made.get("metadata", {}), "name": name, "namespace": self.spaces[where].name}}

    def refuses(self, where: str, hook: str = "", **spec: Any) -> bool:
        """Whether what is to be in the way of pods is heeded already."""
        pod: Manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "spec": {"containers": [{"name": "a", "image": "a"}], **spec},
        }
        labelled = pod | ({"metadata": {"labels": {HOOK: hook}}} if hook else {})
        made = self.placed("tried", labelled, where)
        words = ("create", "--dry-run=server", "--filename=-")
        return self.cluster.kubectl(*words, input=json.dumps(made), check=False).returncode != 0

    def why(self, name: str, where: str) -> Why:
        """As an administrator's `%kube why` has it."""

        async def ask() -> Why:
            path = str(self.cluster.admin_kubeconfig)
            access = auth.load(auth.Source("kubeconfig", path, path), None, self.spaces[where].name)
            backend = KubernetesBackend(access)
            try:
                found = await backend.findings(name)
            finally:
                await backend.close()
            return why(found.state, found.events, time.time())

        return asyncio.run(ask())

    def tells(self, name: str, wanted: Planted) -> Why:
        """The answer, which is the one that is wanted; all others before it are gone by now."""
        last: list[Why] = []

        def told() -> bool:
            last[:] = [self.why(name, wanted.where)]
            return last[0].kind == wanted.kind and wanted.sentence in last[0].sentence

        try:
            eventually(told, f"{wanted.sentence!r} of {name}", PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}; at last: {last}") from None
        (found,) = last
        assert found.verdict == CAUSE
        assert wanted.fix in str(found.fix), found
        assert found.said or found.kind in SILENT, found
        return found
