"""What an account asks of the API server, as the server itself counts it.

It has no counter for each account, but one for each FlowSchema: so there is one here for each account and verb, with
the priority that accounts have without it. What is asked for as long as it likes and is no watch (a log that is
followed) is not counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.kubectl import Kubectl

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
_NAME = "counted-{space}-{who}-{verb}"
_DISPATCHED = re.compile(
    r'^apiserver_flowcontrol_dispatched_requests_total\{flow_schema="(\S+?)",.*\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True)
class Counted:
    admin: Kubectl
    names: Mapping[str, tuple[str, str]]
    """Who asked, and with which verb, by the name of the FlowSchema."""

    def now(self) -> Counter[tuple[str, str]]:
        """Requests until now, by who asked and the verb."""
        said = self.admin("get", "--raw=/metrics").stdout
        found = {name: int(float(count)) for name, count in _DISPATCHED.findall(said)}
        return Counter({key: found.get(name, 0) for name, key in self.names.items()})


@contextmanager
def counted(admin: Kubectl, space: str, accounts: Mapping[str, tuple[str, str]]) -> Iterator[Counted]:
    """`accounts`: namespace and name, by who it is; `space`: a name of this test run's own."""
    keys = [(who, verb) for who in accounts for verb in VERBS]
    names = {_NAME.format(space=space, who=who, verb=verb): (who, verb) for who, verb in keys}
    try:
        admin.apply(*(_schema(name, *accounts[who], verb) for name, (who, verb) in names.items()))
        yield Counted(admin, names)
    finally:
        admin("delete", "flowschemas", *names, "--ignore-not-found", check=False)


def _schema(name: str, namespace: str, account: str, verb: str) -> dict[str, Any]:
    subject = {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": account}}
    everywhere = {"apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    return {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": name},
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-low"},
            # Before the one of all accounts, which has 9000.
            "matchingPrecedence": 8000,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [
                {
                    "subjects": [subject],
                    "resourceRules": [{"verbs": [verb], **everywhere}],
                    "nonResourceRules": [{"verbs": [verb], "nonResourceURLs": ["*"]}],
                }
            ],
        },
    }
