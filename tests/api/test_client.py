"""Requests to a real server: what each failure becomes, and what is asked a second time."""

from __future__ import annotations

import asyncio
import json
import re
import time
import traceback
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from kube_magics import errors
from kube_magics.cluster.client import Client
from tests.api import certificates
from tests.api.servers import access, api, kubeconfig, load, raw

PATH = "/api/v1/namespaces/team/pods"


def refusing(code: int, message: str, **details: Any) -> Any:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": code, "message": message, "details": details}, status=code)

    return answer


def error_of(answer: Any, method: str = "get", *args: Any) -> errors.ClusterError:
    async def ask() -> errors.ClusterError:
        async with api(answer) as client:
            with pytest.raises(errors.ClusterError) as caught:
                await getattr(client, method)(PATH, *args)
            return caught.value

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, errors.Rejected),
        (401, errors.Unauthorized),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (409, errors.Conflict),
        (410, errors.Gone),
        (413, errors.Rejected),
        (422, errors.Rejected),
        (429, errors.Rejected),
        (500, errors.Rejected),
        (503, errors.Rejected),
    ],
)
def test_every_status_has_its_error(code: int, kind: type[errors.ClusterError]) -> None:
    error = error_of(refusing(code, "the cluster's own words", kind="pods", name="x"))
    assert type(error) is kind
    assert error.status == code
    assert error.said == "the cluster's own words"
    assert code in {401, 410} or "pods x" in error.message


def test_hints_say_what_to_do() -> None:
    assert "kubectl" in str(error_of(refusing(401, "Unauthorized")).hint)
    assert "user-role.yaml" in str(error_of(refusing(403, "pods is forbidden")).hint)
    assert "%kube delete" in str(error_of(refusing(403, "exceeded quota: q")).hint)
    assert "--namespace" in str(error_of(refusing(404, 'namespaces "x" not found')).hint)


def test_a_right_that_is_missing_is_named() -> None:
    said = (
        'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs" in API group "batch"'
    )
    refused = error_of(refusing(403, f'{said} in the namespace "a"'))
    assert refused.message == "You may not create jobs in namespace a: no cell can become a job."
    said = 'secrets is forbidden: User "ann" cannot get resource "secrets" in API group "" in the namespace "a"'
    assert error_of(refusing(403, said)).message == "You may not get secrets in namespace a."
    everywhere = 'nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope'
    assert error_of(refusing(403, everywhere)).message == "You may not list nodes."


@pytest.mark.parametrize(
    ("ahead_s", "says"),
    [(3600, "60 minutes ahead of this machine's"), (-3600, "60 minutes behind this machine's"), (20, ""), (None, "")],
)
def test_credentials_refused_by_a_clock_that_is_off(ahead_s: int | None, says: str) -> None:
    """Tokens are good from one moment to another, by the cluster's clock."""

    async def answer(request: web.Request) -> web.Response:
        date = "no date" if ahead_s is None else formatdate(time.time() + ahead_s, usegmt=True)
        return web.Response(status=401, headers={"Date": date})

    error = error_of(answer)
    assert isinstance(error, errors.Unauthorized)
    assert says in error.message
    assert ("clock" in error.message, "set this machine's clock" in str(error.hint)) == (bool(says), bool(says))


def test_what_the_server_warns_of_is_told_once() -> None:
    headers = ['299 - "first \\"thing\\""', '299 - "second", 299 - "third"', "nonsense"]

    async def answer(request: web.Request) -> web.Response:
        response = web.json_response({"kind": "Fine"})
        for each in headers:
            response.headers.add("Warning", each)
        return response

    async def ask() -> list[list[str]]:
        async with api(answer) as client:
            found = []
            for _ in range(2):
                await client.post(PATH, {})
                await client.post(PATH, {})
                found.append(client.warnings())
            headers.append('299 - "fourth"')
            await client.post(PATH, {})
            return [*found, client.warnings()]

    assert asyncio.run(ask()) == [['first "thing"', "second", "third"], [], ["fourth"]]


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "[1]", '"text"', "null", "", '{"details": null}'])
def test_an_error_in_any_words_is_an_error(body: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body, status=502, content_type="text/html")

    error = error_of(answer)
    assert isinstance(error, errors.Rejected)
    assert error.said


def test_a_page_in_the_servers_place_is_named() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in</html>", content_type="text/html")

    error = error_of(answer)
    assert isinstance(error, errors.Unreachable)
    assert "Please log in" in str(error)


def test_refused_credentials_are_read_again_once(tmp_path: Path) -> None:
    """A token file that was rotated; every request refused at that moment succeeds, the file is read once."""
    token, config = tmp_path / "token", tmp_path / "config"
    token.write_text("old")
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        if request.headers["Authorization"] != "Bearer new":
            return await refusing(401, "Unauthorized")(request)  # type: ignore[no-any-return]
        return web.json_response({"kind": "List", "items": []})

    async def ask() -> None:
        async with api(answer) as plain:
            config.write_text(yaml.safe_dump(kubeconfig(plain.access.server, {"tokenFile": str(token)})))
            client = Client(load(config))
            try:
                token.write_text("new")
                found = await asyncio.gather(client.get(PATH), client.post(PATH, {}), client.delete(PATH))
                assert found == [{"kind": "List", "items": []}] * 3
                async with client.stream(PATH, {}) as content:
                    assert json.loads(await content.read()) == {"kind": "List", "items": []}
            finally:
                await client.close()

    asyncio.run(ask())
    assert seen.count("Bearer old") == 3
    assert seen.count("Bearer new") == 4


def test_a_stream_reads_its_credentials_again_too(tmp_path: Path) -> None:
    token, config = tmp_path / "token", tmp_path / "config"
    token.write_text("old")

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != "Bearer new":
            return await refusing(401, "Unauthorized")(request)  # type: ignore[no-any-return]
        return web.Response(text="lines")

    async def ask() -> bytes:
        async with api(answer) as plain:
            config.write_text(yaml.safe_dump(kubeconfig(plain.access.server, {"tokenFile": str(token)})))
            client = Client(load(config))
            token.write_text("new")
            try:
                async with client.stream(PATH, {}) as content:
                    return await content.read()
            finally:
                await client.close()

    assert asyncio.run(ask()) == b"lines"


def test_credentials_that_stay_refused_are_an_error_after_two_requests() -> None:
    count = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return await refusing(401, "Unauthorized")(request)  # type: ignore[no-any-return]

    assert isinstance(error_of(answer), errors.Unauthorized)
    assert count == 2


def test_a_log_in_program_is_started_once_for_all_who_wait(tmp_path: Path) -> None:
    """And while it takes its time, it takes one thread."""
    runs, go, program = tmp_path / "runs", tmp_path / "go", tmp_path / "login"
    status = {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    given = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    program.write_text(
        f"#!/bin/sh\necho >> {runs}\n"
        f"[ $(wc -l < {runs}) = 1 ] || until [ -e {go} ]; do sleep 0.05; done\n"
        f"echo '{json.dumps(given)}'\n"
    )
    program.chmod(0o700)
    user = {"exec": {"apiVersion": given["apiVersion"], "command": str(program), "interactiveMode": "Never"}}

    async def ask() -> None:
        async with api(fine, user) as client:
            asked = [asyncio.ensure_future(client.get(PATH)) for _ in range(40)]
            asked[0].cancel()
            while len(runs.read_text()) < 2:
                await asyncio.sleep(0.01)
            asked[1].cancel()
            late = [asyncio.ensure_future(client.get(PATH)) for _ in range(40)]
            await asyncio.sleep(0.1)
            try:
                await asyncio.wait_for(asyncio.to_thread(time.monotonic), 30)
            finally:
                go.touch()
            assert await asyncio.gather(*asked[2:], *late) == [{"kind": "Fine"}] * 78

    asyncio.run(ask())
    assert len(runs.read_text()) == 2


def test_what_is_sent() -> None:
    seen: list[tuple[str, str, str, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        asked = (request.method, request.path_qs, request.headers.get("Authorization", ""), request.content_type)
        seen.append((*asked, await request.read()))
        return web.json_response({"kind": "Fine"})

    async def ask() -> None:
        async with api(answer, {"token": "secret"}) as client:
            await client.get(PATH, {"labelSelector": "a=b"})
            await client.post(PATH, {"kind": "Pod"})
            await client.patch(f"{PATH}/x", {"spec": {}})
            await client.delete(f"{PATH}/x")

    asyncio.run(ask())
    assert seen == [
        ("GET", f"{PATH}?labelSelector=a%3Db", "Bearer secret", "application/json", b""),
        ("POST", PATH, "Bearer secret", "application/json", b'{"kind":"Pod"}'),
        ("PATCH", f"{PATH}/x", "Bearer secret", "application/merge-patch+json", b'{"spec":{}}'),
        ("DELETE", f"{PATH}/x?propagationPolicy=Background", "Bearer secret", "application/json", b""),
    ]


def test_nobody_listens() -> None:
    async def ask() -> None:
        async with api(refusing(500, "")) as client:
            pass
        try:
            await client.get(PATH)
        finally:
            await client.close()

    with pytest.raises(errors.Unreachable, match="No connection to cluster lab at http://127"):
        asyncio.run(ask())


@pytest.mark.parametrize("server", ["not an address", "http://:nonsense:", "ftp://127.0.0.1"])
def test_a_server_that_is_no_address(server: str, tmp_path: Path) -> None:
    async def ask() -> None:
        (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(server)))
        client = Client(load(tmp_path / "config"))
        try:
            await client.get(PATH)
        finally:
            await client.close()

    with pytest.raises((errors.ConfigError, errors.Unreachable)):
        asyncio.run(ask())


def test_an_answer_that_breaks_off() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.close()

    async def ask() -> None:
        async with raw(talk) as client:
            with pytest.raises(errors.Unreachable, match="broke off"):
                await client.get(PATH)
            with pytest.raises(errors.Unreachable, match="broke off"):
                async with client.stream(PATH, {}) as content:
                    await content.read()

    asyncio.run(ask())


@pytest.mark.parametrize("page", [b"<html>Log in</html>", b'{"login": "https://sso.lab"}', b"[]", b"1"])
def test_what_is_no_object_of_the_api_is_no_api_server(page: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page))
        await writer.drain()
        writer.close()

    async def ask() -> None:
        async with raw(talk) as client:
            with pytest.raises(errors.Unreachable, match="is not an API server") as caught:
                await client.get(PATH)
            assert caught.value.said == page.decode()

    asyncio.run(ask())


def counting(requests: list[bytes]) -> Any:
    """Answers the first request of a connection, and closes the connection on the second without a word."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answers in (True, False):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            requests.append(head.split(b" ")[0])
            if answers:
                writer.write(
                    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"kind": "Fine"}'
                )
                await writer.drain()
        writer.close()

    return talk


def test_an_answer_may_take_as_long_as_it_comes() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for part in b'{"kind": "Fine"}':
            await response.write(bytes([part]))
            await asyncio.sleep(0.1)
        return response

    async def ask() -> Any:
        async with api(answer) as plain:
            client = Client(plain.access, answer_s=1.2)
            try:
                return await client.get(PATH)
            finally:
                await client.close()

    assert asyncio.run(ask()) == {"kind": "Fine"}


def test_a_large_body_may_take_its_time_and_its_answer_may_not() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(1.3)
            size = int(re.findall(rb"Content-Length: (\d+)", head)[0])
            await reader.readexactly(size)
            if size > 1000:
                writer.write(b'HTTP/1.1 201 Created\r\nContent-Length: 16\r\n\r\n{"kind": "Fine"}')
        finally:
            writer.close()

    async def ask() -> Any:
        async with raw(talk) as plain:
            client = Client(plain.access, answer_s=0.9)
            try:
                with pytest.raises(errors.Unreachable, match="in time"):
                    await client.post(PATH, {})
                return await client.post(PATH, {"data": "x" * (16 << 20)})
            finally:
                await client.close()

    assert asyncio.run(ask()) == {"kind": "Fine"}


def test_a_kept_connection_that_the_server_has_closed_is_replaced_for_reading() -> None:
    requests: list[bytes] = []

    async def ask() -> None:
        async with raw(counting(requests)) as client:
            assert await client.get(PATH) == {"kind": "Fine"}
            assert await client.get(PATH) == {"kind": "Fine"}

    asyncio.run(ask())
    assert requests == [b"GET", b"GET", b"GET"]


def test_a_create_whose_answer_is_lost_is_never_repeated_here() -> None:
    requests: list[bytes] = []

    async def ask() -> None:
        async with raw(counting(requests)) as client:
            assert await client.get(PATH) == {"kind": "Fine"}
            with pytest.raises(errors.Unreachable):
                await client.post(PATH, {})

    asyncio.run(ask())
    assert requests == [b"GET", b"POST"]


async def fine(request: web.Request) -> web.Response:
    return web.json_response({"kind": "Fine"})


async def ask_over_tls(tmp_path: Path, host: str, user: dict[str, Any] | None = None, **cluster: Any) -> Any:
    pem, key = certificates.make(tmp_path, "server", host=host)
    clients = Path(user["client-certificate"]) if user else None
    trust = {"certificate-authority": str(pem), **cluster}
    async with api(fine, user, certificates.server_side(pem, key, clients=clients), **trust) as client:
        return await client.get(PATH)


def test_a_trusted_certificate(tmp_path: Path) -> None:
    assert asyncio.run(ask_over_tls(tmp_path, "127.0.0.1")) == {"kind": "Fine"}


def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    other, _ = certificates.make(tmp_path, "other", host="127.0.0.1")
    with pytest.raises(errors.Unreachable, match="certificate of cluster lab") as caught:
        asyncio.run(ask_over_tls(tmp_path, "127.0.0.1", **{"certificate-authority": str(other)}))
    assert "certificate-authority" in str(caught.value.hint)


def test_a_certificate_of_another_host_is_not_trusted(tmp_path: Path) -> None:
    with pytest.raises(errors.Unreachable, match="not trusted"):
        asyncio.run(ask_over_tls(tmp_path, "api.lab"))


def test_tls_server_name_is_what_the_certificate_must_say(tmp_path: Path) -> None:
    assert asyncio.run(ask_over_tls(tmp_path, "api.lab", **{"tls-server-name": "api.lab"})) == {"kind": "Fine"}


def test_insecure_skip_tls_verify(tmp_path: Path) -> None:
    async def ask() -> Any:
        pem, key = certificates.make(tmp_path, "server")
        side = certificates.server_side(pem, key)
        async with api(fine, tls=side, **{"insecure-skip-tls-verify": True}) as client:
            return await client.get(PATH)

    assert asyncio.run(ask()) == {"kind": "Fine"}


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    pem, key = certificates.make(tmp_path, "me")
    user = {"client-certificate": str(pem), "client-key": str(key)}
    assert asyncio.run(ask_over_tls(tmp_path, "127.0.0.1", user)) == {"kind": "Fine"}


def test_a_certificate_file_that_is_none_is_an_error_of_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "broken.crt").write_text("no certificate")
    with pytest.raises(errors.ConfigError):
        asyncio.run(ask_over_tls(tmp_path, "127.0.0.1", **{"certificate-authority": str(tmp_path / "broken.crt")}))


def test_proxy_url_is_where_requests_go() -> None:
    targets: list[str] = []

    async def proxy(request: web.Request) -> web.Response:
        targets.append(str(request.url))
        return web.json_response({"kind": "Proxy"})

    async def ask() -> Any:
        async with api(proxy) as near, api(fine, **{"proxy-url": near.access.server}) as client:
            return await client.get(PATH), client.access.server

    answer, server = asyncio.run(ask())
    assert answer == {"kind": "Proxy"}
    assert targets == [server + PATH]


def test_a_proxy_that_wants_another_password_is_named_without_the_one_it_got() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def ask() -> None:
        proxy = await asyncio.start_server(refuse, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        client = Client(access("https://10.0.0.1", **{"proxy-url": f"http://me:hunter2@127.0.0.1:{port}"}))
        try:
            await client.get("/version")
        finally:
            await client.close()
            proxy.close()

    with pytest.raises(errors.Unreachable, match=r"The proxy http://127.0.0.1:\d+ does not let you through") as caught:
        asyncio.run(ask())
    assert caught.value.said == "407 Proxy Authentication Required"
    assert "hunter2" not in "".join(traceback.format_exception(caught.value, chain=True))


@pytest.mark.parametrize("details", [[{"@type": "reason"}], "no healthy upstream", {"kind": 1, "name": None}])
def test_a_refusal_in_json_that_is_not_the_api_servers(details: object) -> None:
    """As gateways before it give them."""

    async def gateway(request: web.Request) -> web.Response:
        return web.json_response({"code": 14, "message": "upstream is away", "details": details}, status=503)

    async def ask() -> None:
        async with api(gateway) as client:
            await client.get(PATH)

    with pytest.raises(errors.Rejected) as caught:
        asyncio.run(ask())
    assert (caught.value.status, caught.value.said) == (503, "upstream is away")
