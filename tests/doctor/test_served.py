"""What the doctor says of real servers: healthy ones, false ones, silent ones."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from kube_magics.cluster.auth import Source
from kube_magics.doctor import cluster
from kube_magics.doctor.bounds import Patience
from kube_magics.doctor.line import BROKEN, DEGRADED, OK, Line
from kube_magics.spec.job import JobSpec
from tests.api import certificates
from tests.api.servers import api, kubeconfig

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
JOBS = "/apis/batch/v1/namespaces/team/jobs"
LISTS: Mapping[str, Any] = {
    "/version": {"gitVersion": "v1.37.2"},
    "/apis": {"groups": [{"name": "kueue.x-k8s.io", "preferredVersion": {"version": "v1beta1"}}]},
    "/api/v1/namespaces/team": {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    "/api/v1/namespaces/team/resourcequotas": {"items": []},
    "/api/v1/namespaces/team/limitranges": {"items": []},
    "/api/v1/nodes": {"items": [{"metadata": {"name": "n"}, "status": {"allocatable": {"nvidia.com/gpu": "8"}}}]},
}


def server(changed: Mapping[str, Any] | None = None, refused: str = "", **headers: str) -> Answer:
    """A small API server: `changed` by path, an object or a status; the right `refused` is not given."""
    found = {**LISTS, **(changed or {})}

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else {}
        content = found.get(request.path)
        if content is None and request.path.endswith("selfsubjectreviews"):
            content = {"status": {"userInfo": {"username": "someone"}}}
        elif content is None and request.path == cluster.REVIEWS:
            asked = body["spec"]["resourceAttributes"]
            content = {"status": {"allowed": f"{asked['verb']} {asked['resource']}" != refused}}
        elif content is None and request.path == JOBS:
            assert request.query["dryRun"] == "All"
            content = body
        if content == "never":
            await asyncio.sleep(3600)
        if isinstance(content, str):
            return web.Response(text=content, content_type="text/html")
        if isinstance(content, int):
            return web.json_response({"message": f"the server said {content}"}, status=content, headers=headers)
        return web.json_response(content or {}, headers=headers)

    return answer


def examined(answer: Answer, *, each_s: float = 8.0, spec: JobSpec | None = None, **how: Any) -> list[Line]:
    async def run() -> list[Line]:
        async with api(answer, **how) as client:
            patience = Patience(each_s=each_s, all_s=14.0)
            found = cluster.lines(client.access.source, spec or JobSpec(), patience, pulls=False)
            return [line async for line in found]

    return asyncio.run(run())


def line_of(lines: list[Line], check: str, state: str) -> Line:
    (found,) = (line for line in lines if (line.check, line.state) == (check, state))
    return found


def test_a_healthy_cluster() -> None:
    lines = examined(server(), user={"token": "t"})
    assert {line.state for line in lines} == {OK}, lines
    assert [line.check for line in lines if line.check != "permissions"] == [
        *("kubeconfig", "credentials", "proxy", "connection", "clock", "user", "server", "client"),
        *("job", "Pod Security", "quota", "limits", "GPUs", "extensions"),
    ]


@pytest.mark.parametrize(
    ("off", "state", "text"),
    [(timedelta(hours=-1), BROKEN, "1 h 0 min ahead of"), (timedelta(minutes=1), DEGRADED, "behind the cluster's")],
)
def test_a_clock_that_is_off(off: timedelta, state: str, text: str) -> None:
    lines = examined(server(Date=format_datetime(datetime.now(UTC) + off, usegmt=True)))
    assert text in line_of(lines, "clock", state).text
    # It is said, and everything else is asked all the same.
    assert line_of(lines, "job", OK)


def test_credentials_that_are_not_accepted() -> None:
    lines = examined(server(dict.fromkeys(LISTS, 401)), user={"token": "old"})
    assert "does not accept" in line_of(lines, "credentials", BROKEN).text
    assert lines[-1].text == cluster.NOT_ASKED


def test_a_page_that_is_no_api() -> None:
    line = line_of(examined(server({"/version": "<html>Please log in</html>"})), "connection", BROKEN)
    assert "is not an API server" in line.text
    assert "Please log in" in str(line.said)


def test_a_server_that_never_answers() -> None:
    line = line_of(examined(server({"/version": "never"}), each_s=0.2), "connection", BROKEN)
    assert "could not be found out within" in line.text


def test_one_question_that_is_never_answered_leaves_the_others() -> None:
    lines = examined(server({"/api/v1/nodes": "never"}), each_s=1.0)
    assert "could not be found out within 1 s" in line_of(lines, "GPUs", DEGRADED).text
    assert [line.check for line in lines if line.state != OK] == ["GPUs"]


def test_what_is_known_is_told_while_the_rest_is_asked() -> None:
    """In the fixed order: what comes behind a question without an answer waits for it."""

    async def run() -> list[str]:
        told: list[str] = []
        async with api(server({"/api/v1/namespaces/team/resourcequotas": "never"})) as client:
            lines = cluster.lines(client.access.source, JobSpec(), Patience(each_s=60, all_s=60), pulls=False)
            while "Pod Security" not in told:
                told.append((await anext(lines)).check)
            for more in (asyncio.ensure_future(anext(lines)),):
                assert (await asyncio.wait([more], timeout=0.1))[1], "nothing is told before the quota"
                more.cancel()
                await asyncio.wait([more])
        return told

    told = asyncio.run(run())
    assert told[:3] == ["kubeconfig", "credentials", "proxy"]
    assert told[-2:] == ["job", "Pod Security"]


@pytest.mark.parametrize(
    ("changed", "check", "state", "text", "hint"),
    [
        ({JOBS: 404}, "job", BROKEN, "no such object", None),
        ({JOBS: 422}, "job", BROKEN, "refused the request", None),
        ({"/api/v1/namespaces/team": 403}, "Pod Security", OK, "not shown to you; our pods pass", None),
        ({"/api/v1/nodes": 403}, "GPUs", OK, "not shown to you", None),
        ({"/api/v1/nodes": 500}, "GPUs", DEGRADED, "HTTP 500", None),
        ({"/api/v1/namespaces/team/limitranges": 403}, "limits", DEGRADED, "Not known", "`list limitranges`"),
        ({"/api/v1/namespaces/team/resourcequotas": 403}, "quota", DEGRADED, "Not known", "`list resourcequotas`"),
        ({"/version": {"gitVersion": "v1.18.0"}}, "server", BROKEN, "too old", "another --context"),
    ],
)
def test_what_is_wrong_with_one_thing(
    changed: Mapping[str, Any], check: str, state: str, text: str, hint: str | None
) -> None:
    line = line_of(examined(server(changed)), check, state)
    assert text in line.text
    assert hint is None or hint in str(line.hint)


def test_a_right_that_is_not_given() -> None:
    line = line_of(examined(server(refused="list events")), "permissions", DEGRADED)
    assert line.text == "You may not list events: why a job has no pod (quota, policy, scheduling) stays unknown."


def test_what_the_server_warns_of() -> None:
    pods = 'would violate PodSecurity "restricted:latest": runAsNonRoot != true'
    escaped = pods.replace('"', '\\"')
    lines = examined(server(Warning=f'299 - "{escaped}"'))
    assert line_of(lines, "Pod Security", BROKEN).said == pods
    lines = examined(server(Warning='299 - "spec.old is deprecated"'))
    assert line_of(lines, "API warning", DEGRADED).text == "spec.old is deprecated"


def test_nobody_listens(tmp_path: Path) -> None:
    lines = unreached(tmp_path, "http://127.0.0.1:9")
    assert "No connection to cluster lab" in line_of(lines, "connection", BROKEN).text


def test_a_name_that_does_not_exist(tmp_path: Path) -> None:
    line = line_of(unreached(tmp_path, "https://no-such-host.invalid"), "address", BROKEN)
    assert line.text == "The name no-such-host.invalid is not known here."


def test_no_password_of_a_proxy_is_shown(tmp_path: Path) -> None:
    lines = unreached(tmp_path, "https://10.0.0.1", **{"proxy-url": "http://me:hunter2@127.0.0.1:9"})
    assert line_of(lines, "proxy", OK).text == "http://127.0.0.1:9, of the kubeconfig"
    assert "hunter2" not in repr(lines)
    assert line_of(lines, "connection", BROKEN)


def test_a_context_that_does_not_exist(tmp_path: Path) -> None:
    lines = unreached(tmp_path, "http://127.0.0.1:9", JobSpec(context="nowhere"))
    assert line_of(lines, "kubeconfig", BROKEN).hint == "--context lab"


def unreached(folder: Path, address: str, spec: JobSpec | None = None, **more: str) -> list[Line]:
    path = folder / "config"
    path.write_text(yaml.safe_dump(kubeconfig(address, **more)))

    async def run() -> list[Line]:
        source = Source("kubeconfig", "the file", str(path))
        return [line async for line in cluster.lines(source, spec or JobSpec(), Patience(), pulls=False)]

    return asyncio.run(run())


def test_a_certificate_of_somebody_else(tmp_path: Path) -> None:
    theirs, key = certificates.make(tmp_path, "theirs", host="127.0.0.1")
    ours, _ = certificates.make(tmp_path, "ours")
    how: dict[str, Any] = {"tls": certificates.server_side(theirs, key), "certificate-authority": str(ours)}
    line = line_of(examined(server(), **how), "connection", BROKEN)
    assert "is not trusted" in line.text
    assert "certificate-authority" in str(line.hint)
    unchecked: dict[str, Any] = {"tls": certificates.server_side(theirs, key), "insecure-skip-tls-verify": True}
    assert "whoever answers" in line_of(examined(server(), **unchecked), "connection", DEGRADED).text


@pytest.mark.long
def test_a_dead_link_takes_fifteen_seconds_at_most(tmp_path: Path) -> None:
    """It takes connections, and nothing ever comes back."""
    path = tmp_path / "config"

    async def run() -> list[Line]:
        with socket.create_server(("127.0.0.1", 0)) as dead:
            path.write_text(yaml.safe_dump(kubeconfig(f"https://127.0.0.1:{dead.getsockname()[1]}")))
            source = Source("kubeconfig", "the file", str(path))
            async with asyncio.timeout(15):
                return [line async for line in cluster.lines(source, JobSpec(), Patience(), pulls=False)]

    assert "could not be found out" in line_of(asyncio.run(run()), "connection", BROKEN).text


def test_a_log_in_program_that_hangs(tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\nexec sleep 2\n")
    program.chmod(0o755)
    entry = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kubeconfig("http://127.0.0.1:9", {"exec": entry})))

    async def run() -> list[Line]:
        source = Source("kubeconfig", "the file", str(path))
        return [line async for line in cluster.lines(source, JobSpec(), Patience(each_s=0.3), pulls=False)]

    assert "could not be found out" in line_of(asyncio.run(run()), "kubeconfig", BROKEN).text
