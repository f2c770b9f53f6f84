"""What a user may do in their namespace, and what each right is for: the rules of hub-config/rbac/user-role.yaml, which
a test holds against this table, and a few that only administrators give.

A right that is missing costs what stands beside it, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """One verb on one resource."""

    verb: str
    resource: str
    """As in a Role's rule, with its subresource: `pods/log`."""
    lost: str
    """What is lost without it, as the end of a sentence."""
    group: str = ""
    """Of the API; "" is the core's."""
    vital: bool = False
    """Without it no cell comes to an end as a job."""
    everywhere: bool = False
    """In the whole cluster; no Role gives that."""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (" of the whole cluster" if self.everywhere else "")

    @property
    def attributes(self) -> dict[str, str]:
        """As an access review asks for it, but for the namespace."""
        resource, _, subresource = self.resource.partition("/")
        return {"verb": self.verb, "group": self.group, "resource": resource, "subresource": subresource}


_BATCH = "batch"
_BY_WATCH = "Kubernetes 1.32 and later"

ROLE: tuple[Permission, ...] = (
    Permission("create", "jobs", "no cell can become a job", _BATCH, vital=True),
    Permission("get", "jobs", "a single job is not to be seen, unless jobs may be listed or watched", _BATCH),
    Permission("list", "jobs", f"jobs are not to be seen, unless they may be watched ({_BY_WATCH})", _BATCH),
    Permission("watch", "jobs", "a job's state is known up to two seconds later, by lists", _BATCH),
    Permission("patch", "jobs", "a job that waits for its pod cannot be stopped", _BATCH),
    Permission("delete", "jobs", "jobs stay until their time to live is over", _BATCH),
    Permission("list", "pods", f"no job can be followed, unless pods may be watched ({_BY_WATCH})"),
    Permission("watch", "pods", "a pod's state is known up to two seconds later, by lists"),
    Permission("patch", "pods", "stopping a job suspends it, which deletes its pod and the log in the cluster"),
    Permission("get", "pods/log", "no output is shown, and no value comes back"),
    Permission("list", "events", "why a job has no pod (quota, policy, scheduling) stays unknown"),
    Permission("watch", "events", "a waiting cell learns of them up to three seconds later, by lists"),
    Permission("create", "configmaps", "a cell and all it carries must stay under 64 KiB"),
    Permission(
        "get", "configmaps", "whether a large job's files have all arrived is not known; it cannot be attached to"
    ),
    Permission("delete", "configmaps", "what kubectl made from the text of --dry-run stays, but for its Job"),
    Permission("get", "persistentvolumeclaims", "a wrong --volume or --cache is told only once the job waits"),
    Permission("list", "persistentvolumeclaims", "the error for a wrong claim does not say which there are"),
    Permission("list", "resourcequotas", "what the namespace may still use is learned only when a job is refused"),
    Permission("list", "limitranges", "the namespace's limits are learned only when a job is refused"),
)
"""What the Role gives, in the namespace."""

BEYOND: tuple[Permission, ...] = (
    Permission("list", "nodes", "how many GPUs there are, and of which kind, is not shown", everywhere=True),
    Permission("list", "pods", "how many GPUs others use is not shown", everywhere=True),
    Permission("get", "nodes/proxy", "lines that a node's log rotation took stay lost", everywhere=True),
)
"""What administrators may give besides: nobody needs it."""
