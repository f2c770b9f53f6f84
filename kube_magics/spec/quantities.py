"""Kubernetes quantities (`500m`, `64Gi`) and durations (`90s`, `2h30m`): checked here, so that a typo fails at once.

Format: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

from kube_magics.errors import OptionError

_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
    "Pi": Decimal(2) ** 50,
}
LEAST_MEMORY_BYTES = 2**20
LONGEST_S = 10 * 365 * 86400
"""Deadlines are 32 bits in the cluster."""
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")
_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION_TEXT = re.compile(r"(?:[0-9]+[smhd])+|[0-9]+")


def amount(text: str) -> Decimal:
    """The number that a quantity stands for, in base units (cores, bytes, devices).

    Raises ValueError for what is not a quantity.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _SUFFIXES:
        raise ValueError(text)
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def memory(option: str, text: str) -> str:
    """`text` as a memory quantity, or an OptionError with the form that was probably meant."""
    try:
        value = amount(text)
    except ValueError:
        raise OptionError(f"{option} {text} is not an amount of memory.", hint=_memory_hint(option, text)) from None
    if value < LEAST_MEMORY_BYTES:
        what = f"{option} {text} is {value.normalize():f} bytes: too little for a Python process."
        raise OptionError(what, hint=_memory_hint(option, f"{text}G"))
    return text


def _memory_hint(option: str, text: str) -> str:
    # "2GB", "2 gb", "512MB", "1,5Gi" and a bare "16" are what people type first.
    match = re.fullmatch(r"([0-9]+)(?:[.,]([0-9]+))?\s*([kmgtp])i?b?", text, re.IGNORECASE)
    if match is None:
        return f"{option} 8Gi"
    meant = f"{match[1]}{f'.{match[2]}' if match[2] else ''}{match[3].upper()}i"
    return f"{option} {meant if amount(meant) >= LEAST_MEMORY_BYTES else '8Gi'}"


def cpus(option: str, text: str) -> str:
    """`text` as a number of cores (`2`, `0.5`, `500m`)."""
    try:
        value = amount(text)
    except ValueError:
        number = text.replace(",", ".")
        meant = number if re.fullmatch(r"[0-9]+\.[0-9]{1,3}", number) and 0 < float(number) <= 4096 else "2"
        raise OptionError(f"{option} {text} is not a number of cores.", hint=f"{option} {meant}") from None
    if value <= 0 or value * 1000 % 1:
        # Finer than a thousandth the cluster refuses.
        raise OptionError(f"{option} {text}: a job needs some CPU, in thousandths of a core.", hint=f"{option} 500m")
    if value > 4096:
        raise OptionError(f"{option} {text}: no node has that many cores.", hint=f"{option} 4")
    return text


def duration_s(text: str) -> int:
    """Of a text that DURATION_TEXT matches."""
    if text.isdigit():
        return int(text)
    return sum(int(n) * _DURATION_UNITS[u] for n, u in re.findall(r"([0-9]+)([smhd])", text))


def seconds(option: str, text: str) -> int:
    """A duration in whole seconds: `90`, `90s`, `2h`, `1d12h`; at least 1."""
    if not DURATION_TEXT.fullmatch(text):
        raise OptionError(f"{option} {text} is not a duration.", hint=f"{option} 2h   (units: s, m, h, d)")
    total = duration_s(text)
    if total < 1:
        raise OptionError(f"{option} {text}: a job needs some time.", hint=f"{option} 2h   (or no {option} at all)")
    if total > LONGEST_S:
        raise OptionError(f"{option} {text} is longer than any job.", hint=f"{option} 30d   (or no {option} at all)")
    return total


def human_bytes(size_bytes: float) -> str:
    """`size_bytes` as people read it: `312 B`, `1.4 MB` (powers of 1000, one decimal)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < (1000 if unit == "B" else 999.95):
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def human_seconds(duration_s: float) -> str:
    """`duration_s` as people read it: `0.8 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if duration_s < 10:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def as_quantity(size_bytes: float) -> str:
    """`size_bytes` as `--memory` takes it: `9.1Gi`, `312Mi` (powers of 1024)."""
    for unit in ("Ki", "Mi", "Gi"):
        size_bytes /= 1024
        if size_bytes < (1000 if unit != "Gi" else 999.95):
            return f"{size_bytes:.1f}{unit}" if unit == "Gi" else f"{size_bytes:.0f}{unit}"
    return f"{size_bytes / 1024:.1f}Ti"
