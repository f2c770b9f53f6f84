"""Another account of the same namespace: it may look, and has what it is trusted with; nothing of the owner's changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from kube_magics.spec.names import ANNOTATION_FETCHED
from tests.acceptance.desk import ROLE, Desk, admin_of, environment, eventually, next_lines
from tests.acceptance.test_interrupt import LASTS, asked
from tests.cluster import kubeconfigs
from tests.kernel import Kernel

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

GUEST = "guest"
LOOKS: list[dict[str, Any]] = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
]
TRAP = """class Trap:
    n = 42
    def __setstate__(self, state):
        import pathlib
        pathlib.Path('loaded').touch()
"""
THEIRS = f"%%kubetrain --name theirs --cpus 50m --returns trap{{}}\n{TRAP}print('line')\ntrap = Trap()\ntrap.x = 1"


def binding(account: str, role: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{account}-{role}", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }


@contextmanager
def guest(desk: Desk, folder: Path) -> Iterator[Kernel]:
    """The notebook of an account that may read jobs, pods and logs in the user's namespace."""
    space = admin_of(desk)
    meta = {"name": GUEST, "namespace": space.name}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": LOOKS}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    space.admin.apply(account, role, binding(GUEST, GUEST, space.name))
    token = space.admin("create", "token", GUEST, f"--namespace={space.name}").stdout.strip()
    content = kubeconfigs.with_token(yaml.safe_load(space.kubeconfig.read_text()), GUEST, token, space.name)
    own = {"HOME": str(folder), "KUBE_MAGICS_STATE": str(folder / "state")}
    own["KUBECONFIG"] = str(kubeconfigs.write(folder / "guest.yaml", content))
    with Kernel(folder, {**environment(desk), **own}) as kernel:
        assert kernel.run("%load_ext kube_magics").error is None
        yield kernel


def is_fetched(desk: Desk, name: str) -> bool:
    return ANNOTATION_FETCHED in admin_of(desk).kubectl.get("job", name)["metadata"]["annotations"]


def test_it_sees_all_and_changes_nothing(there: Desk, tmp_path: Path) -> None:
    there.right(f"%%kubetrain --detach --name lasting --cpus 50m\n{LASTS}")
    there.right(THEIRS.format(" --detach"))
    there.right("_.wait()")
    there.says("lasting", "up\n")
    with guest(there, tmp_path) as other:
        ran = other.run("%kube attach theirs")
        assert ran.error == "Untrusted", ran
        assert "line\n" in ran.stdout
        assert not (tmp_path / "loaded").exists(), "nothing was unpickled"
        cannot_stop(other)
        assert other.run("%kube attach theirs --trust").error is None
        assert (tmp_path / "loaded").exists()
        assert other.value("trap.n") == "42"
        space = admin_of(there)
        # With all rights of the owner's it is still not the owner.
        space.admin.apply(binding(GUEST, ROLE, space.name))
        assert other.run("%kube attach theirs --trust").error is None
        assert not is_fetched(there, "theirs")
        ran = there.right(THEIRS.format(""))
        assert "its results have not been fetched yet: attached" in ran.stdout
        assert there.kernel.value("trap.n") == "42"
        eventually(lambda: is_fetched(there, "theirs"), "a note that its owner has it")
        assert other.run("%kube stop lasting").error is None, "whom the administrators let"
    assert there.run("%kube attach lasting").error == "JobStopped"
    for name in ("lasting", "theirs"):
        there.right(f"%kube delete {name}")


def cannot_stop(other: Kernel) -> None:
    ran = other.run("%kube stop lasting")
    assert ran.error == "Forbidden", ran
    assert ran.traceback.splitlines()[0] == "Forbidden: You may not stop job lasting, which goes on."
    assert "whoever submitted it" in next_lines(ran)
    assert other.run("%kube delete lasting").error == "Forbidden"
    request = other.send("%kube attach lasting")
    eventually(lambda: "up\n" in other.peek(request).stdout, "its log")
    asked(other, request)
    other.interrupt()
    ran = other.finish(request)
    assert ran.error == "Detached", ran
    assert "No word came through to stop job lasting, which goes on, as far as is known" in ran.message
    assert "running" in other.run("%kube jobs").text
