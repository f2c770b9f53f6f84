"""All objects of a user's namespace, in the order in which they are made."""

from __future__ import annotations

from typing import Any

from . import accounts, bounds, network, storage
from .settings import Found, Site, User


def objects(site: Site, user: User, found: Found) -> list[dict[str, Any]]:
    """The namespace first, and what bounds it before what may run in it."""
    allowed = site.quota_of(user.groups)
    return [
        accounts.namespace(site, user),
        bounds.quota(site, user, allowed),
        *bounds.priorities(site, user),
        bounds.limits(site, user, allowed),
        *network.policies(site, user, found),
        accounts.default_account(site, user),
        accounts.job_account(site, user),
        accounts.notebook_account(site, user),
        accounts.user_binding(site, user),
        *_brought(site, user, found),
    ]


def _brought(site: Site, user: User, found: Found) -> list[dict[str, Any]]:
    made = [storage.claim(user, share) for share in site.shares_of(user.groups)]
    if site.pull_secret and found.pull_secret is not None:
        made.append(storage.pull_secret(user, site.pull_secret, found.pull_secret))
    if site.cluster_queue:
        made.append(storage.local_queue(user, site.queue, site.cluster_queue))
    return made
