"""Volumes that a job mounts: `CLAIM:/path[:ro]`."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from kube_magics.errors import OptionError
from kube_magics.spec import names

OURS = "/kube-magics"
"""Where a pod has its bundle and its cache."""
TAKEN = ("/", "/tmp", "/dev", "/proc", "/sys", "/etc", "/usr", "/bin", "/lib", OURS)  # noqa: S108 - paths in the pod
"""Mounting over these would break the container or the job itself."""


@dataclass(frozen=True)
class Volume:
    """One `--volume`."""

    claim: str
    """Name of a PersistentVolumeClaim in the job's namespace."""
    path: str
    """Absolute, in the job's container."""
    read_only: bool = False

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.claim}:{self.path}" + (":ro" if self.read_only else "")


def volumes(option: str, text: str) -> tuple[Volume, ...]:
    """One volume, in a tuple."""
    claim, _, rest = text.partition(":")
    path, _, mode = rest.partition(":")
    claim_hint = claim if names.is_object(claim) else names.stem(claim, 63)
    plain = "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else ""
    if not plain or mode not in ("", "ro", "rw"):
        raise OptionError(f"{option} {text!r} is not CLAIM:/path[:ro].", hint=f"{option} {claim_hint}:/data")
    if not names.is_object(claim):
        raise OptionError(f"{option} {claim!r} is no claim's name.", hint=f"{option} {claim_hint}:{plain}")
    if plain in TAKEN or plain.startswith(f"{OURS}/"):
        raise OptionError(f"{option} {text}: {plain} belongs to the container itself.", hint=f"{option} {claim}:/data")
    return (Volume(claim, plain, mode == "ro"),)


def distinct(option: str, wanted: Sequence[Volume]) -> None:
    """One path holds one volume. Raises OptionError."""
    seen: dict[str, Volume] = {}
    for volume in wanted:
        other = seen.setdefault(volume.path, volume)
        if other is not volume:
            fix = f"{option} {volume.claim}:{volume.path.rstrip('/')}-{volume.claim}"
            raise OptionError(f"{option} names {volume.path} twice: for {other.claim} and {volume.claim}.", hint=fix)


def log_path(option: str, text: str) -> str:
    """An absolute path; ends with `/` if it is a folder's."""
    if not text.startswith("/") or ".." in text.split("/"):
        raise OptionError(
            f"{option} {text!r} is not an absolute path.", hint=f"{option} /data/logs/   (with --volume CLAIM:/data)"
        )
    return posixpath.normpath("/" + text.lstrip("/")) + ("/" if text.endswith("/") and text.strip("/") else "")


def keeps(wanted: Sequence[Volume], path: str) -> None:
    """The file at `path` outlives the pod. Raises OptionError."""
    above = [volume for volume in wanted if f"{path}/".startswith(f"{volume.path}/")]
    holder = max(above, key=lambda volume: len(volume.path), default=None)
    if holder is None:
        example = next((volume for volume in wanted if not volume.read_only), None)
        fix = f"--log-to {example.path}/" if example else f"--log-to /data{path}   (with --volume CLAIM:/data)"
        raise OptionError(f"--log-to {path} is on no volume: it would go with the pod.", hint=fix)
    if holder.read_only:
        fix = f"--volume {holder.claim}:{holder.path}"
        raise OptionError(f"--log-to {path}: --volume {holder} is read-only.", hint=fix)
