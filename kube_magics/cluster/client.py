"""Plain JSON to and from the API server, over aiohttp on the caller's loop (HTTP/1.1, keep-alive).

One `Client` per context. Every foreign exception becomes one of `errors`, here and nowhere else.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp

from kube_magics import errors
from kube_magics.cluster import auth, refusals
from kube_magics.cluster.connections import Connections
from kube_magics.cluster.exchange import Answer
from kube_magics.cluster.flight import Flight
from kube_magics.cluster.link import Link
from kube_magics.cluster.shortened import shortened

ANSWER_TIMEOUT_S = 30.0
"""Of silence."""
SLOWEST_BYTES_S = 20_000
"""Of what is sent; slower, and it counts as lost."""
IDLE_S = 60.0
"""After such a silence a connection may have been forgotten on the way: a word to it would not be answered for long."""
LINK_TIMEOUT_S = 10.0
"""For the smallest of all answers."""
CONNECT_TIMEOUT_S = 10.0
LOG_IN_S = 30.0
"""Of patience with a log-in program: who asked is told then, and the program goes on for the next."""
KEEPALIVE_S = 150.0
"""Below the three minutes after which servers close idle connections."""
STARTING_S = 10.0
"""After a connection failed. An API server answers for some tenths of a second before it has read who may do what."""
READ_BUFFER_BYTES = 1 << 20
"""Of a stream, before the sender is slowed down; small enough to bound memory with many jobs."""

JSON = "application/json"
METADATA = f"{JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""An object, or a list, without its content: https://kubernetes.io/docs/reference/using-api/api-concepts/"""
MERGE_PATCH = "application/merge-patch+json"

_OF_TIME = re.compile("expired|not yet valid")
_requests = logging.getLogger("kube_magics.requests")


class Client:
    """Requests to one cluster as one user. To be used, and closed, on one event loop."""

    def __init__(self, access: auth.Access, *, answer_s: float = ANSWER_TIMEOUT_S) -> None:
        self.access = access
        self._answer_s = answer_s
        self.connections = Connections(self._session)
        self.link = Link(self._ask, self.connections.lost)
        self._headers = Flight[dict[str, str]]()
        self._renewing = Flight[None]()
        self._broke = -STARTING_S
        """When a connection failed last, on the monotonic clock."""
        self._warnings: dict[str, bool] = {}
        """What the server has warned of, and whether it has been taken."""

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        accept: str = JSON,
        *,
        without: bytes | None = None,
    ) -> Any:
        """The object or list at `path` (`/api/v1/namespaces/x/pods`); without the texts that follow `without`
        (`shortened.py`).
        """
        return await self._answer("GET", path, params=params, headers={"Accept": accept}, without=without)

    async def post(self, path: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None) -> Any:
        """Create; not repeated here, since only the caller knows whether it may be."""
        return await self._answer("POST", path, params=params, body=body)

    async def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        """A merge patch."""
        return await self._answer("PATCH", path, body=body, headers={"Content-Type": MERGE_PATCH})

    async def delete(self, path: str) -> Any:
        """Delete in the background: over the raw API a Job's pods would be orphaned by default."""
        return await self._answer("DELETE", path, params={"propagationPolicy": "Background"})

    async def exchange(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, params: Mapping[str, str] | None = None
    ) -> Answer:
        """One request and its whole answer, a refusal too."""
        data = None if body is None else json.dumps(body).encode()
        request = {"params": params, "headers": {"Content-Type": JSON}, "timeout": self._limits(len(data or b""))}
        began, sent_at = time.monotonic(), time.time()
        with self._translated():
            async with self._sent(method, path, data=data, **request) as response:
                text = await response.read()
                warnings = tuple(response.headers.getall("Warning", ()))
                date = response.headers.get("Date", "")
                return Answer(response.status, date, warnings, text, sent_at, time.monotonic() - began)

    @asynccontextmanager
    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncIterator[aiohttp.StreamReader]:
        """The body of a GET that may never end (a watch, a log)."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=None)
        with self._translated(), self.connections.one_of("streams") as headers:
            async with self._sent("GET", path, params=params, headers=headers, timeout=limits) as response:
                await self._check(response)
                async with self.connections.streaming(response):
                    yield response.content

    def warnings(self) -> list[str]:
        """What the server has warned of and nobody has taken yet: each sentence once, however often it comes."""
        fresh = [text for text, taken in self._warnings.items() if not taken]
        self._warnings |= dict.fromkeys(fresh, True)
        return fresh

    async def close(self) -> None:
        """Close every connection."""
        self.link.stop()
        self._headers.stop()
        self._renewing.stop()
        await self.connections.close()

    async def _ask(self) -> None:
        """Whatever comes back, the server is there."""
        # The log-in program's time included, which is asked first.
        with self._translated():
            async with asyncio.timeout(LINK_TIMEOUT_S), self._sent("GET", "/version", timeout=aiohttp.ClientTimeout()):
                pass

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        without: bytes | None = None,
    ) -> Any:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        limits = self._limits(len(data or b""))
        if self.link.heard and time.monotonic() - self.link.heard > IDLE_S:
            await self.link.alive()  # uses up the dead ones
        with self._translated(), self.connections.one_of("answers") as own:
            asked = {"Content-Type": JSON, **(headers or {}), **own}
            async with self._sent(method, path, params=params, data=data, headers=asked, timeout=limits) as response:
                await self._check(response)
                content = response.content.iter_any()
                text = await response.read() if without is None else await shortened(content, without)
                return self._read(path, text, json_expected=asked.get("Accept", JSON).startswith(JSON))

    def _limits(self, size_bytes: int) -> aiohttp.ClientTimeout:
        """However long it takes to come, an answer may be large; how long it takes to send something, nobody says."""
        answer_s = self._answer_s
        whole_s = answer_s + size_bytes / SLOWEST_BYTES_S if size_bytes else None
        return aiohttp.ClientTimeout(
            total=whole_s, connect=answer_s, sock_connect=CONNECT_TIMEOUT_S, sock_read=answer_s
        )

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        """Raise what the server refuses. One that is just starting knows no rights yet, and refuses everything."""
        try:
            await refusals.check(response)
        except errors.Forbidden as refused:
            if refusals.is_unknown_right(refused) and time.monotonic() - self._broke < STARTING_S:
                raise errors.Unreachable("The API server is starting again.", said=refused.said) from refused
            raise

    def _read(self, path: str, text: bytes, *, json_expected: bool) -> Any:
        if not json_expected:
            return text
        try:
            found = json.loads(text)
            # Each object of the API says its kind; what a node answers through it is the node's.
            if path.startswith("/api") and "/proxy/" not in path and "kind" not in found:
                raise ValueError("no object of the API")
            return found
        except (ValueError, TypeError) as error:
            raise errors.Unreachable(
                f"What answers at {self.access.server} is not an API server.",
                said=text[:200].decode("utf-8", "replace"),
                hint="a proxy or log-in page may stand in between; correct `server` or proxy-url in the kubeconfig",
            ) from error

    @asynccontextmanager
    async def _sent(self, method: str, path: str, **request: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer's head; once more with credentials read again if they are not accepted."""
        access = self.access
        async with self._once(access, method, path, **request) as response:
            if response.status != 401:
                yield response
                return
        async with self._logging_in():
            await self._renewing.join(access, lambda: self._renew(access))
        async with self._once(self.access, method, path, **request) as response:
            yield response

    @asynccontextmanager
    async def _once(
        self, access: auth.Access, method: str, path: str, *, data: bytes | None = None, **request: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        # Bytes as such would be sent in one piece, before anything else could be.
        request["data"] = None if data is None else io.BytesIO(data)
        headers = {**await self._own_headers(access), **request.pop("headers", {})}
        name = access.configuration.tls_server_name
        began = time.monotonic()
        async with (
            self.connections.session() as session,
            session.request(
                method, access.server + path, headers=headers, proxy=access.proxy, server_hostname=name, **request
            ) as response,
        ):
            self.link.heard = time.monotonic()
            for text in refusals.warnings(response.headers.getall("Warning", ())):
                self._warnings.setdefault(text, False)
            # Neither headers nor bodies: these hold secrets.
            took_ms, query = (self.link.heard - began) * 1000, urlencode(request.get("params") or {})
            where = f"{path}?{query}" if query else path
            _requests.debug("%s %s: %d in %.0f ms", method, where, response.status, took_ms)
            yield response

    async def _own_headers(self, access: auth.Access) -> dict[str, str]:
        if not access.refreshes:
            return access.headers()
        # Refreshing a token may start a program (exec plugins): never on the loop that reads everybody's logs.
        async with self._logging_in():
            return await self._headers.join(access, lambda: asyncio.to_thread(access.headers))

    @asynccontextmanager
    async def _logging_in(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(LOG_IN_S):
                yield
        except TimeoutError as error:
            raise errors.Unreachable(
                f"What logs you in to context {self.access.context} does not come to an end.",
                hint="kubectl get pods   (in a terminal: it may ask for something)",
            ) from error

    def _session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S, ssl=self.access.tls())
        return aiohttp.ClientSession(
            connector=connector, auto_decompress=True, read_bufsize=READ_BUFFER_BYTES, trust_env=False
        )

    async def _renew(self, refused: auth.Access) -> None:
        # A rotated token file, or an exec plugin whose token was revoked early: everything is read again, once,
        # however many requests were refused with it. Open streams go on with the old session.
        if self.access is refused:
            self.access = await asyncio.to_thread(auth.load, refused.source, refused.context, refused.namespace)
            self.connections.leave()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        where = f"cluster {self.access.context} at {self.access.server}"
        away = "--backend local   (runs on this machine); else %kube doctor, or --context with another cluster"
        try:
            yield
        except aiohttp.InvalidURL as error:
            raise errors.ConfigError(
                f"{auth.bare(str(error))} is not an address (context {self.access.context}).",
                hint="correct `server` or `proxy-url` in the kubeconfig",
            ) from None  # which shows a proxy's password
        except aiohttp.ClientConnectorCertificateError as error:
            said = str(error.certificate_error)
            clock = "set this machine's clock, if it is wrong; else " if _OF_TIME.search(said) else ""
            raise errors.Unreachable(
                f"The certificate of {where} is not trusted.",
                said=said,
                hint=f"{clock}correct certificate-authority in the kubeconfig, or --backend local for this machine",
            ) from error
        except (TimeoutError, aiohttp.ServerTimeoutError) as error:
            raise errors.Unreachable(f"No answer from {where} in time.", hint=away) from error
        except aiohttp.ClientConnectionError as error:
            self._broke = time.monotonic()
            raise errors.Unreachable(f"No connection to {where}.", said=str(error), hint=away) from error
        except aiohttp.ClientHttpProxyError as error:
            raise errors.Unreachable(
                f"The proxy {auth.bare(self.access.proxy or '')} does not let you through to {where}.",
                said=f"{error.status} {error.message}",
                hint="correct name and password in proxy-url of the kubeconfig, or in HTTPS_PROXY; or --backend local",
            ) from None  # which shows the password
        except aiohttp.ClientError as error:
            said = auth.bare(str(error))
            raise errors.Unreachable(f"The answer of {where} broke off.", said=said, hint=away) from error
