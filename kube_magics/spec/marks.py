"""Labels, annotations, node selectors and tolerations: pairs that a job or its pod bears, as Kubernetes has them.

Format: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kube_magics.errors import OptionError
from kube_magics.spec import names

Pairs = tuple[tuple[str, str], ...]

_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_RESERVED = (names.PREFIX, "kubernetes.io", "k8s.io")
"""Domains whose labels mean something to the cluster or to us."""
_OURS = ("app.kubernetes.io/managed-by", "job-name", "controller-uid")
_RECOMMENDED = ("app.kubernetes.io", "helm.sh")
"""https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/: for users to set."""
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True)
class Toleration:
    """One `--toleration`."""

    key: str
    value: str | None = None
    """None: whatever the taint's value is."""
    effect: str | None = None
    """None: every effect."""

    def __str__(self) -> str:
        """As it is typed, which is as kubectl writes a taint."""
        return (
            self.key + (f"={self.value}" if self.value is not None else "") + (f":{self.effect}" if self.effect else "")
        )


def labels(option: str, text: str) -> Pairs:
    """`KEY=VALUE`, commas between them."""
    return tuple(_own(option, *_label(option, part)) for part in _parts(text))


def selectors(option: str, text: str) -> Pairs:
    """`KEY=VALUE` of a node's labels, commas between them."""
    return tuple(_label(option, part) for part in _parts(text))


def annotation(option: str, text: str) -> Pairs:
    """One `KEY=VALUE`; the value may hold anything, commas too."""
    key, equals, value = text.partition("=")
    if not equals or not _is_key(key):
        raise OptionError(f"{option} {text!r} is not KEY=VALUE.", hint=f"{option} {_near_key(key)}={value or 'text'}")
    return (_own(option, key, value),)


def tolerations(option: str, text: str) -> tuple[Toleration, ...]:
    """One `KEY[=VALUE][:EFFECT]`."""
    rest, _, effect = text.partition(":")
    key, equals, value = rest.partition("=")
    if not _is_key(key) or (equals and value and not _is_value(value)):
        fix = f"{_near_key(key)}" + (f":{effect}" if effect in EFFECTS else "")
        raise OptionError(f"{option} {text!r} is not KEY[=VALUE][:EFFECT].", hint=f"{option} {fix}")
    if effect and effect not in EFFECTS:
        near = next((each for each in EFFECTS if each.lower() == effect.lower()), EFFECTS[0])
        what = f"{option} {text}: the effects of taints are {', '.join(EFFECTS)}."
        raise OptionError(what, hint=f"{option} {rest}:{near}")
    return (Toleration(key, value if equals else None, effect or None),)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] or [""]


def _label(option: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not _is_key(key):
        near = f"{_near_key(key)}={names.label_value(value) if value else 'yes'}"
        raise OptionError(f"{option} {text!r} is not KEY=VALUE.", hint=f"{option} {near}")
    if not _is_value(value):
        what = f"{option} {key}: a label's value has at most 63 of A-Z, a-z, 0-9, '-', '_', '.', and {value!r} has not."
        raise OptionError(what, hint=f"{option} {key}={_near_value(value)}")
    return key, value


def _own(option: str, key: str, value: str) -> tuple[str, str]:
    domain = key.rpartition("/")[0]
    ends = any(domain == each or domain.endswith(f".{each}") for each in _RESERVED)
    if key in _OURS or (ends and domain not in _RECOMMENDED):
        what = f"{option} {key}: that name belongs to Kubernetes or to kube_magics."
        raise OptionError(what, hint=f"{option} my-{key.rpartition('/')[2]}={value}")
    return key, value


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return (not slash or names.is_object(prefix)) and len(name) <= 63 and _WORD.fullmatch(name) is not None


def _is_value(value: str) -> bool:
    return not value or (len(value) <= 63 and _WORD.fullmatch(value) is not None)


def _near_value(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", value).strip("-_.")[:63].strip("-_.") or "yes"


def _near_key(key: str) -> str:
    return _near_value(key.rpartition("/")[2]) if _near_value(key) != "yes" else "team"
