"""Desks that a module's tests share: a kernel costs a second, a namespace another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.desk import Desk, admin_of, desk
from tests.acceptance.gate import Gate, gate
from tests.cluster import Cluster


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A user without a cluster."""
    with desk(tmp_path_factory.mktemp("here")) as found:
        yield found


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Desk]:
    """A user of the cluster."""
    with desk(tmp_path_factory.mktemp("there"), cluster) as found:
        yield found


@pytest.fixture(params=["here", pytest.param("there", marks=pytest.mark.cluster)])
def anywhere(request: pytest.FixtureRequest) -> Desk:
    """One after the other."""
    found: Desk = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def gated(there: Desk, tmp_path: Path) -> Iterator[Gate]:
    """The API server with a gate before it, as the user's one cluster."""
    with gate(admin_of(there), tmp_path) as (made, kubeconfig):
        through = {"KUBECONFIG": str(kubeconfig)}
        there.right(f"import os\nbefore = os.environ['KUBECONFIG']\nos.environ.update({through!r})")
        yield made
        there.right("os.environ['KUBECONFIG'] = before")
