"""A notebook whose link to the cluster goes through the proxy; one kernel for a module, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.belongings import deleted
from tests.acceptance.desk import LOGS, Desk, admin_of, desk, environment
from tests.cluster import Cluster
from tests.faults.proxy import Proxy, proxy
from tests.kernel import Kernel


@dataclass(frozen=True)
class Linked:
    """A user of the cluster behind a link that can be broken."""

    desk: Desk
    proxy: Proxy

    def log(self, name: str) -> Path:
        return self.desk.folder / LOGS / f"{name}.log"


@contextmanager
def link(folder: Path, cluster: Cluster) -> Iterator[Linked]:
    """Such a user, who leaves nothing behind."""
    made: list[Proxy] = []

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        with proxy(kubeconfig) as between:
            made.append(between)
            yield between.kubeconfig(kubeconfig, kubeconfig.with_name(f"linked-{kubeconfig.name}"))

    with desk(folder, cluster, through=through) as found:
        yield Linked(found, made[0])
        deleted(found)


@contextmanager
def another(linked: Linked, folder: Path) -> Iterator[Linked]:
    """Another notebook of the same user, behind a link of its own."""
    space = admin_of(linked.desk)
    with proxy(space.kubeconfig) as between:
        path = between.kubeconfig(space.kubeconfig, folder / "config")
        with Kernel(linked.desk.folder, {**environment(linked.desk), "KUBECONFIG": str(path)}) as kernel:
            made = Linked(replace(linked.desk, kernel=kernel), between)
            made.desk.right("%load_ext kube_magics")
            yield made


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Linked]:
    with link(tmp_path_factory.mktemp("linked"), cluster) as found:
        yield found
