"""`yaml`: a job as what creates it again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import yaml

from kube_magics.backends.contract import Backend
from kube_magics.jobs import loop
from kube_magics.manifests.again import creatable
from kube_magics.spec.credentials import LEFT_OUT
from kube_magics.verbs.door import Call


@dataclass(frozen=True, repr=False)
class Manifest:
    """The objects of one job."""

    objects: tuple[dict[str, Any], ...]
    remarks: tuple[str, ...] = ()

    def json(self) -> Any:
        """One object, or a List, which kubectl takes as well."""
        if len(self.objects) == 1:
            return self.objects[0]
        return {"apiVersion": "v1", "kind": "List", "items": list(self.objects)}

    def text(self) -> str:
        """YAML, fit for `kubectl create -f -` and `create -f`."""
        remarks = "".join(f"# {remark}\n" for remark in self.remarks)
        return remarks + yaml.safe_dump_all(self.objects, sort_keys=False, explicit_start=len(self.objects) > 1)


def manifest(call: Call) -> Manifest | None:
    """The Job, with the objects that carry its files."""
    found = of(call.backend, call.names[0])
    if call.given.get("json"):
        return found
    sys.stdout.write(found.text())
    return None


def of(backend: Backend, name: str) -> Manifest:
    """The objects of a job; raises what the backend's `recipe` raises."""
    made = [creatable(found) for found in loop.wait(backend.recipe(name))]
    hidden = list(dict.fromkeys(each for _, left_out in made for each in left_out))
    remarks: tuple[str, ...] = ()
    if hidden:
        what = "looks like a credential" if len(hidden) == 1 else "look like credentials"
        remarks = (f"{', '.join(hidden)} {what}: {LEFT_OUT} stands for it. A Secret is the place for it.",)
    return Manifest(tuple(body for body, _ in made), remarks)
