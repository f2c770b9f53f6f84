"""The rights of a user as administrators read them: docs/rights.md, from the table in `permissions.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from kube_magics.cluster.permissions import BEYOND, ROLE, Permission

_INTRODUCTION = """\
# Rights

<!-- Made from kube_magics/cluster/permissions.py by `make fix`; a test holds it. -->

What `hub-config/rbac/user-role.yaml` gives a user, in their own namespace and nowhere else. A right that is missing
costs what stands beside it, and nothing else; `%kube doctor` says which of them you have.
"""
_BEYOND = """\
## Beyond the Role

Cluster-wide, and nobody needs it. `nodes/proxy` is a mighty right: do not give it for this; `--log-to` needs none.
"""


def page() -> str:
    """docs/rights.md."""
    return f"{_INTRODUCTION}\n{_table(ROLE)}\n{_BEYOND}\n{_table(BEYOND)}"


def _table(rights: Iterable[Permission]) -> str:
    rows = (f"| `{each.verb}` | `{each.resource}` | {each.lost} |\n" for each in rights)
    return "| may | on | without it |\n| --- | --- | --- |\n" + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())
