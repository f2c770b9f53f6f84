"""The fixtures: ``cluster`` for the whole session, ``namespace`` for one test.

Whoever asks for them is skipped, with the reason, on a machine that cannot run the cluster.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import Cluster, Namespace, running, why_not


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The real cluster: joined if it runs, started if not, and then taken down at the end of the session."""
    if reason := why_not():
        pytest.skip(reason)
    with running() as found:
        yield found
    if not found.is_given:
        _nothing_is_left()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A fresh namespace with ``hub-config/rbac/user-role.yaml`` and Pod Security ``restricted``, gone after it."""
    from .namespaces import delete

    made = cluster.namespace()
    yield made
    delete(made)


def _nothing_is_left() -> None:
    """A tear-down that forgets something is a failure of the session, not of whoever comes next."""
    from . import lifecycle, machine

    if not lifecycle.is_running() and (left := machine.leftovers()):
        pytest.fail("the cluster left on this machine: " + "; ".join(left))
