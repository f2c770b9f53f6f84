"""The table of rights and the Role that administrators apply are one thing."""

from __future__ import annotations

from pathlib import Path

import yaml

from kube_magics.cluster.permissions import BEYOND, ROLE

FILE = Path(__file__).resolve().parents[2] / "hub-config" / "rbac" / "user-role.yaml"


def test_the_role_gives_what_the_table_says_and_no_more() -> None:
    rules = yaml.safe_load(FILE.read_text())["rules"]
    given = sorted(
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    )
    assert given == sorted((each.group, each.resource, each.verb) for each in ROLE)


def test_each_says_what_it_is_for() -> None:
    for each in (*ROLE, *BEYOND):
        assert each.lost, each
        assert not each.lost.endswith("."), each
    assert not any(each.everywhere for each in ROLE)


def test_a_subresource_is_asked_for_as_one() -> None:
    (logs,) = (each for each in ROLE if str(each) == "get pods/log")
    assert logs.attributes == {"verb": "get", "group": "", "resource": "pods", "subresource": "log"}
