"""What an API server says when it refuses, as one of `errors`; and what it warns of beside an answer."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from kube_magics import errors
from kube_magics.cluster.permissions import ROLE
from kube_magics.telemetry import objects

SKEW_S = 120.0
"""Clocks that are further apart let credentials be refused that are good."""

_BY_STATUS: Mapping[int, type[errors.ClusterError]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.Gone,
}
_NO_RIGHT = re.compile(r"User \".*\" cannot ")
"""As the authorizer says it, unlike a quota or a policy."""
_RIGHT = re.compile(
    r"User \"[^\"]*\" cannot (?P<verb>\S+) (?:resource|path) \"(?P<resource>[^\"]+)\""
    r"(?: in API group \"[^\"]*\")?(?: in the namespace \"(?P<namespace>[^\"]+)\")?"
)
_ASK = "ask your administrator for the Role in hub-config/rbac/user-role.yaml"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
"""https://kubernetes.io/blog/2020/09/03/warnings/"""


async def check(response: aiohttp.ClientResponse) -> None:
    """Raise what the server refuses."""
    if response.status >= 400:
        text = (await response.text(errors="replace")).strip()
        raise refused(response.status, text or response.reason or "", response.headers)


def refused(code: int, text: str, headers: Mapping[str, str]) -> errors.ClusterError:
    """The error for an answer of HTTP status `code` and its body."""
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {}
    error = refusal(code, str(status.get("message") or text[:500]), status)
    if code == 401:
        _tell_of_clocks(error, headers.get("Date", ""))
    with suppress(ValueError):  # it may be a date, from something in between
        error.retry_after_s = float(headers.get("Retry-After") or "")
    return error


def refusal(code: int, said: str, status: Mapping[str, Any]) -> errors.ClusterError:
    """The error for an answer of HTTP status `code`; also for ERROR events inside a watch."""
    kind = _BY_STATUS.get(code, errors.Rejected)
    error = kind(_sentence(code, said, status), said=said, hint=_hint(code, said))
    error.status = code
    return error


def is_unknown_right(error: errors.Forbidden) -> bool:
    """Whether it is a want of rights, which somebody may grant, and no policy or quota."""
    return _NO_RIGHT.search(error.said or "") is not None


def warnings(headers: Iterable[str]) -> Iterator[str]:
    """The sentences of an answer's `Warning` headers."""
    for header in headers:
        for found in _WARNING.finditer(header):
            yield re.sub(r"\\(.)", r"\1", found[1])


def _sentence(code: int, said: str, status: Mapping[str, Any]) -> str:
    # What stands before the API server may speak JSON of its own, with other things under these names.
    what = " ".join(filter(None, (objects.text(status, "details", key) for key in ("kind", "name"))))
    of = f" ({what})" if what else ""
    if code == 401:
        return "The cluster does not accept your credentials."
    if code == 403:
        return _forbidden(said, of)
    if code == 404:
        return f"The cluster has no such object{of}."
    if code == 409:
        return f"The name is taken{of}."
    if code == 410:
        return "The cluster no longer keeps that version."
    return f"The cluster refused the request{of} with HTTP {code}."


def _forbidden(said: str, of: str) -> str:
    right = _RIGHT.search(said)
    if right is None:
        return f"The cluster refuses this{of}: you lack the right, or a policy forbids it."
    where = f" in namespace {right['namespace']}" if right["namespace"] else ""
    lost = [each.lost for each in ROLE if (each.verb, each.resource) == (right["verb"], right["resource"])]
    return f"You may not {right['verb']} {right['resource']}{where}{f': {lost[0]}' if where and lost else ''}."


def _hint(code: int, said: str) -> str | None:
    if code == 401:
        return "log in again as your cluster asks for it (the same that makes kubectl work), then run the cell again"
    if code == 403 and "exceeded quota" in said:
        return "%kube jobs shows what holds the quota; %kube delete NAME frees it"
    if code == 403 and _NO_RIGHT.search(said):
        return f"{_ASK}, or try --namespace"
    if code == 403:
        return f"correct what the cluster names above; if it is a right, {_ASK}"
    if code == 404 and "namespaces" in said:
        return "--namespace with one that exists"
    if code == 404 and said.startswith("jobs.batch"):
        return "%kube jobs   (shows the names)"
    if code in (400, 422):
        return "correct what the cluster names above, or show it to your administrator"
    busy = code == errors.TOO_MANY_REQUESTS or code >= 500
    return "try again in a moment; if it stays so, show it to your administrator" if busy else None


def _tell_of_clocks(error: errors.ClusterError, date: str) -> None:
    """A token is good from one moment to another, by the cluster's clock."""
    with suppress(ValueError):
        ahead_s = parsedate_to_datetime(date).timestamp() - time.time()
        if abs(ahead_s) > SKEW_S:
            how = f"{round(abs(ahead_s) / 60)} minutes {'ahead of' if ahead_s > 0 else 'behind'}"
            error.message += f" Its clock is {how} this machine's, which may be why."
            error.hint = f"set this machine's clock; else {error.hint}"
