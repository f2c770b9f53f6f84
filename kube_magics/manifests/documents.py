"""The objects in a file of YAML or JSON, as kubectl reads them, each with the line where it begins.

Timestamps stay text, as in JSON; a List is the objects that it holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from kube_magics.errors import OptionError


@dataclass(frozen=True)
class Document:
    """One object to create."""

    body: dict[str, Any]
    file: str
    line: int

    @property
    def kind(self) -> str:
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """As its file has it; of a `generateName` the beginning."""
        meta = self.body["metadata"]
        return str(meta.get("name") or f"{meta['generateName']}…")

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.file}, line {self.line})"


class _Loader(yaml.SafeLoader):
    """JSON has no dates: what looks like one is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str, file: str) -> list[Document]:
    """All objects of a file. Raises OptionError that names the line of what is no YAML, or no object."""
    found: list[Document] = []
    try:
        for body, line in _bodies(text):
            if body is not None:
                found += _objects(body, file, line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        what = ", ".join(filter(None, (error.context, error.problem)))
        shown = text.splitlines()[line - 1 : line]
        said = shown[0].strip() if shown and shown[0].strip() else None
        raise OptionError(f"{file}, line {line} is no YAML: {what}.", said=said, hint=f"correct {file}") from error
    except yaml.YAMLError as error:
        raise OptionError(f"{file} is no YAML: {error}.", hint=f"correct {file}") from error
    if not found:
        raise OptionError(f"{file} holds no object.", hint="%%kubetrain --dry-run prints one")
    return found


def _bodies(text: str) -> Iterator[tuple[Any, int]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            yield loader.construct_document(node), node.start_mark.line + 1
    finally:
        loader.dispose()


def _objects(body: Any, file: str, line: int) -> Iterator[Document]:
    where = f"{file}, line {line}"
    if not isinstance(body, dict):
        raise OptionError(f"{where}: this is no object of Kubernetes, but {type(body).__name__}.", hint="kind: Job")
    if body.get("kind") == "List" and isinstance(body.get("items"), list):
        for item in body["items"]:
            yield from _objects(item, file, line)
        return
    for field, example in (("apiVersion", "batch/v1"), ("kind", "Job")):
        if not isinstance(body.get(field), str) or not body[field]:
            raise OptionError(f"{where}: this object has no {field}.", hint=f"{field}: {example}")
    meta = body.get("metadata")
    if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
        raise OptionError(f"{where}: this {body['kind']} has no name.", hint="metadata: {name: NAME}")
    try:
        json.dumps(body)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{where}: JSON has nothing like this: {error}.", hint=f"correct {file}") from error
    yield Document(body, file, line)
