"""The objects in a file of YAML, and where it is wrong."""

from __future__ import annotations

import json

import pytest

from kube_magics.errors import OptionError
from kube_magics.manifests.documents import documents

TWO = """\
# two objects
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {when: 2026-11-25, on: "yes"}
---
---
apiVersion: batch/v1
kind: Job
metadata:
  generateName: train-
"""


def test_objects_know_their_lines() -> None:
    found = documents(TWO, "job.yaml")
    assert [str(each) for each in found] == [
        "ConfigMap settings (job.yaml, line 2)",
        "Job train-… (job.yaml, line 8)",
    ]
    assert found[0].body["data"]["when"] == "2026-11-25"


def test_a_list_is_what_it_holds() -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    found = documents(json.dumps({"apiVersion": "v1", "kind": "List", "items": [item, item]}), "x.json")
    assert [each.name for each in found] == ["a", "a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml holds no object"),
        ("# nothing\n---\n", "f.yaml holds no object"),
        ("apiVersion: v1\nkind: [Job\n", "f.yaml, line 3 is no YAML: while parsing a flow sequence"),
        ("apiVersion: v1\n\tkind: Job\n", "f.yaml, line 2 is no YAML: .*found character '\\\\t'"),
        ("a: b: c\n", "f.yaml, line 1 is no YAML: mapping values are not allowed here"),
        ("a: !!python/object:os.system x\n", "f.yaml, line 1 is no YAML: could not determine a constructor"),
        ("a: \x00", "f.yaml is no YAML"),
        ("- 1\n", "f.yaml, line 1: this is no object of Kubernetes, but list"),
        ("hello\n", "line 1: this is no object of Kubernetes, but str"),
        (TWO + "---\nkind: Job\n", "f.yaml, line 13: this object has no apiVersion"),
        ("apiVersion: v1\n", "line 1: this object has no kind"),
        ("apiVersion: v1\nkind: Job\n", "line 1: this Job has no name"),
        ("apiVersion: v1\nkind: Job\nmetadata: x\n", "line 1: this Job has no name"),
        ("apiVersion: v1\nkind: Job\nmetadata: {name: a}\ndata: !!set {1, 2}\n", "JSON has nothing like this"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        documents(text, "f.yaml")
    assert caught.value.hint
