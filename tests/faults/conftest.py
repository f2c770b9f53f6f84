"""A notebook whose link to the cluster goes through the proxy; one kernel for a module, which leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.belongings import deleted
from tests.acceptance.desk import LOGS, Desk, desk
from tests.cluster import Cluster
from tests.faults.proxy import Proxy, proxy


@dataclass(frozen=True)
class Linked:
    """A user of the cluster behind a link that can be broken."""

    desk: Desk
    proxy: Proxy

    def log(self, name: str) -> Path:
        return self.desk.folder / LOGS / f"{name}.log"


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Linked]:
    made: list[Proxy] = []

    @contextmanager
    def through(kubeconfig: Path) -> Iterator[Path]:
        with proxy(kubeconfig) as between:
            made.append(between)
            yield between.kubeconfig(kubeconfig, kubeconfig.with_name(f"linked-{kubeconfig.name}"))

    with desk(tmp_path_factory.mktemp("linked"), cluster, through=through) as found:
        yield Linked(found, made[0])
        deleted(found)
