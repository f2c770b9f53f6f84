"""The log of a pod that goes, or that its node has put away, between the look at the job and the read."""

from __future__ import annotations

import asyncio

import pytest

from kube_magics.backends.contract import Source
from kube_magics.backends.kubernetes import KubernetesBackend
from kube_magics.backends.podlog import LOST
from kube_magics.jobs.listing import Log, read_all, read_log
from tests.api.kubelet import Fault
from tests.api.onejob import NAME, OneJob
from tests.api.servers import api

AWAY = b"unable to retrieve container logs for containerd://5c"
ONE, BOTH = (Source("one-abcde", "main"),), (Source("one-abcde", "main"), Source("one-fghij", "main"))


def read(job: OneJob, sources: tuple[Source, ...]) -> Log:
    """As a job's only log, or of several."""

    async def story() -> Log:
        async with api(job.answer) as client:
            backend = KubernetesBackend(client.access)
            try:
                return await (read_all(backend, NAME, sources) if sources else read_log(backend, NAME))
            finally:
                await backend.close()

    return asyncio.run(asyncio.wait_for(story(), 30))


@pytest.mark.parametrize("sources", [(), ONE])
def test_of_a_pod_that_went_nothing_is_kept(sources: tuple[Source, ...]) -> None:
    job = OneJob()
    job.log.faults.append(Fault("refuse", status=404))
    assert read(job, sources) == Log(f"[kube_magics: lines may be missing here: {LOST}]\n", kept=False)


@pytest.mark.parametrize("sources", [(), ONE])
def test_what_a_node_says_in_the_place_of_a_log_is_none(sources: tuple[Source, ...]) -> None:
    job = OneJob()
    job.log.lines.append(AWAY)
    job.log.seconds.append(0)
    assert read(job, sources) == Log(f"[kube_magics: lines may be missing here: {AWAY.decode()}]\n", kept=False)


def test_of_several_pods_those_that_are_there_are_read() -> None:
    job = OneJob()
    job.log.faults.append(Fault("refuse", status=404))
    job.log.write(b"works", 10**18)
    gone = f"[pod/one-abcde/main] [kube_magics: lines may be missing here: {LOST}]"
    assert read(job, BOTH) == Log(f"{gone}\n[pod/one-fghij/main] works\n", kept=True)


def test_a_log_that_is_there_is_kept() -> None:
    job = OneJob()
    job.log.write(b"works", 10**18)
    assert read(job, ()) == Log("works\n", kept=True)
