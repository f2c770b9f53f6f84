"""Kubeconfigs as kubectl joins them: which contexts and users there are. Files are read here, nothing is sent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kube_magics.errors import ConfigError


@dataclass(frozen=True)
class Kubeconfig:
    """Several files joined as kubectl does it: of two with one name, the first one counts."""

    where: str
    """For people: `~/.kube/config`."""
    current: str | None
    """The first file's that has one. The package takes the last one's: another cluster than kubectl's."""
    contexts: dict[str, dict[str, Any]]
    users: dict[str, dict[str, Any]]
    clusters: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, paths: str, where: str) -> Kubeconfig:
        """Raises what a file that is none makes Python raise: `auth` says it in a sentence."""
        import yaml

        current = None
        found: dict[str, dict[str, dict[str, Any]]] = {"context": {}, "user": {}, "cluster": {}}
        for part in filter(None, paths.split(os.pathsep)):
            path = Path(part).expanduser()
            if not path.exists():
                continue
            content = yaml.safe_load(path.read_text("utf-8")) or {}
            current = current or content.get("current-context")
            for kind, known in found.items():
                for entry in content.get(f"{kind}s") or ():
                    known.setdefault(str(entry["name"]), entry.get(kind) or {})
        return cls(where, current or None, found["context"], found["user"], found["cluster"])

    def context(self, wanted: str | None) -> str:
        """The name of the context that is meant; raises ConfigError where there is none."""
        known = ", ".join(list(self.contexts)[:8]) or "none at all"
        example = self.current if self.current in self.contexts else next(iter(self.contexts), None)
        hint = f"--context {example}" if example else "--backend local runs on this machine"
        if wanted is None and self.current is None:
            raise ConfigError(f"{self.where} names no current context; it has {known}.", hint=hint)
        chosen = wanted or self.current or ""
        if chosen not in self.contexts:
            raise ConfigError(f"There is no context {chosen} in {self.where}; it has {known}.", hint=hint)
        return chosen

    def user(self, context: str) -> dict[str, Any]:
        """What the user of a context logs in with; empty where that is nothing."""
        return self.users.get(self.contexts[context].get("user") or "") or {}

    def cluster(self, context: str) -> dict[str, Any]:
        """How the cluster of a context is reached; empty where nothing says so."""
        return self.clusters.get(self.contexts[context].get("cluster") or "") or {}
