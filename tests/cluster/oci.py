"""Container images without a registry: layers, and the OCI archive that carries them into containerd."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass(frozen=True)
class Layer:
    """An uncompressed tar (compressing costs more than one machine's disk gains)."""

    path: Path
    digest: str
    """Hex sha256 of the file."""
    size: int
    """Bytes."""


def layer(path: Path) -> Layer:
    """The layer at ``path``; its digest is kept beside it (1.4 GB take seconds to hash)."""
    note = path.with_suffix(".json")
    if not note.exists():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        note.write_text(json.dumps({"digest": digest, "size": path.stat().st_size}))
    return Layer(path, **json.loads(note.read_text()))


def write_tree(target: Path, files: Mapping[str, Path]) -> None:
    """A tar at ``target`` of the files and folders in ``files`` (path in the image -> path here).

    The same content gives the same bytes: owner, times and order are fixed. Bytecode is taken as it is.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, source in sorted(files.items()):
            _add(tar, source, name)


@dataclass(frozen=True)
class Manifest:
    """Of an image: what a registry is asked for by its name, and the configuration that it names by digest."""

    data: bytes
    config: bytes

    def described(self) -> dict[str, Any]:
        return _described(self.data, MANIFEST)


def manifest(layers: Sequence[Layer], config: Mapping[str, Any]) -> Manifest:
    image = {
        "architecture": _ARCHITECTURE,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{item.digest}" for item in layers]},
    }
    data = _json(image)
    content = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _described(data, _CONFIG),
        "layers": [{"mediaType": _LAYER, "digest": f"sha256:{item.digest}", "size": item.size} for item in layers],
    }
    return Manifest(_json(content), data)


def write_archive(
    out: IO[bytes], name: str, layers: Sequence[Layer], config: Mapping[str, Any], skip: set[str]
) -> None:
    """An OCI image layout as a tar stream. Layers whose digest is in ``skip`` are named but not carried."""
    made = manifest(layers, config)
    top = made.described() | {"annotations": {"io.containerd.image.name": name}}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [top]}
    with tarfile.open(fileobj=out, mode="w|") as tar:
        _add_bytes(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add_bytes(tar, "index.json", json.dumps(index).encode())
        for data in (made.config, made.data):
            _add_bytes(tar, f"blobs/sha256/{hashlib.sha256(data).hexdigest()}", data)
        for item in layers:
            if item.digest not in skip:
                tar.add(item.path, arcname=f"blobs/sha256/{item.digest}", recursive=False)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True).encode()


def _described(data: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def _add(tar: tarfile.TarFile, source: Path, name: str) -> None:
    info = tar.gettarinfo(source, arcname=name)
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    if info.isreg():
        # A hard link would need its first name in this very layer.
        info.type, info.size = tarfile.REGTYPE, source.stat().st_size
        with source.open("rb") as file:
            tar.addfile(info, file)
        return
    tar.addfile(info)
    if info.isdir():
        for child in sorted(source.iterdir()):
            _add(tar, child, f"{name}/{child.name}")


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
