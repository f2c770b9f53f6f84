"""One job's files below the URL of `--artifacts`: a folder of this machine, or whatever fsspec knows.

All of a job's files stand side by side in one folder, which the notebook makes: whoever may write there may remove
them, whoever wrote them. Every failure is a StoreError.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, suppress

from .pieces import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

READ_BYTES = 8 * 1024 * 1024
OURS = re.compile(r"(?:data\.pkl|out-\d+|job|probe)(?:\.part)?")
"""Names of a job's files. Where the URL comes from a Job that anyone may have written, nothing else may be removed."""
PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
    "hdfs": "pyarrow",
    "webdav": "webdav4",
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "oci": "ocifs",
    "hf": "huggingface_hub",
}
"""What brings a protocol to fsspec, where fsspec itself does not."""


def protocol(url: str) -> str:
    """`s3` of s3://bucket/folder; `file` of a plain path."""
    return url.partition("://")[0] if "://" in url else "file"


def requirements(url: str) -> list[str]:
    """The distributions that the store needs in the pod."""
    found = PACKAGES.get(protocol(url))
    return [] if protocol(url) == "file" else ["fsspec", *([found] if found else [])]


def at(url: str, folder: str) -> Folder | Remote:
    """The place of one job."""
    if protocol(url) == "file":
        return Folder(url[len("file://") :] if "://" in url else url, folder)
    return Remote(url, folder)


class Folder:
    """Below a folder that both sides see under the same path."""

    def __init__(self, root: str, folder: str) -> None:
        self._root = root.rstrip("/") or "/"
        self._path = os.path.join(self._root, folder)

    def __str__(self) -> str:
        return self._path

    def begin(self) -> None:
        """Make the folder, as open as the one it stands in: the job may run as another user than the notebook."""
        if not os.path.isdir(os.path.dirname(self._root)):
            raise StoreError(f"there is no folder {os.path.dirname(self._root)}")
        with _told(self._path):
            if not os.path.isdir(self._root):
                os.mkdir(self._root)
            os.mkdir(self._path)
            os.chmod(self._path, os.stat(self._root).st_mode & 0o777)

    def check(self) -> None:
        """Raises where the folder cannot be seen or written to: it may be a volume that is not mounted here."""
        if not os.path.isdir(self._path):
            raise StoreError(f"there is no folder {self._path}: is the volume mounted here, at the same path?")
        self.put("probe", [b""])
        self.remove("probe")

    def put(self, name: str, chunks: Iterable[Any]) -> None:
        """A file, whole or not at all."""
        path = os.path.join(self._path, name)
        with _told(path):
            try:
                with open(path + ".part", "wb") as file:
                    file.writelines(chunks)
                os.chmod(path + ".part", os.stat(self._path).st_mode & 0o666)
                os.replace(path + ".part", path)
            except BaseException:
                with suppress(OSError):
                    os.remove(path + ".part")
                raise

    def read(self, name: str) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        if not os.path.isdir(self._root):  # else whoever has the file is suspected to have taken it away
            raise StoreError(f"there is no folder {self._root}: is the volume mounted here, at the same path?")
        path = os.path.join(self._path, name)
        with _told(path), open(path, "rb") as file:
            yield from iter(lambda: file.read(READ_BYTES), b"")

    def remove(self, name: str) -> None:
        path = os.path.join(self._path, name)
        with _told(path):
            os.remove(path)

    def clear(self) -> None:
        """Remove the job's files and folder; they need not be there, and what is not ours stays."""
        with _told(self._path), suppress(FileNotFoundError):
            names = os.listdir(self._path)
            for name in filter(OURS.fullmatch, names):
                os.remove(os.path.join(self._path, name))
            if all(map(OURS.fullmatch, names)):
                os.rmdir(self._path)


class Remote:
    """Below a URL, through fsspec."""

    def __init__(self, url: str, folder: str) -> None:
        self._url = url.rstrip("/")
        self._name = folder
        with _told(url):
            try:
                from fsspec.core import url_to_fs

                self._fs, root = url_to_fs(self._url, use_listings_cache=False)
            except ImportError as error:
                package = " ".join(requirements(url)) if error.name == "fsspec" else PACKAGES.get(protocol(url))
                raise StoreError(f"{url} needs {package or error}, which is not installed", package) from error
        self._path = f"{root.rstrip('/')}/{folder}"

    def __str__(self) -> str:
        return f"{self._url}/{self._name}"

    def begin(self) -> None:
        """Write a first file: what cannot be written to is found out now."""
        self.put("job", [b""])

    def check(self) -> None:
        """Raises where this process cannot write."""
        self.put("probe", [b""])
        self.remove("probe")

    def put(self, name: str, chunks: Iterable[Any]) -> None:
        """A file, whole or not at all."""
        with _told(f"{self}/{name}"):
            file = self._fs.open(f"{self._path}/{name}", "wb")
            try:
                for chunk in chunks:
                    view = memoryview(chunk).cast("B")
                    for start in range(0, view.nbytes, READ_BYTES):  # fsspec buffers what one call brings
                        file.write(view[start : start + READ_BYTES])
                file.close()
            except BaseException:
                # Closing would complete the file, and so would fsspec's own end of an object that is not closed.
                with suppress(Exception):
                    file.discard()
                file.closed = True
                raise

    def read(self, name: str) -> Iterator[bytes]:
        """Its bytes, in pieces."""
        with _told(f"{self}/{name}"), self._fs.open(f"{self._path}/{name}", "rb", block_size=READ_BYTES) as file:
            yield from iter(lambda: file.read(READ_BYTES), b"")

    def remove(self, name: str) -> None:
        with _told(f"{self}/{name}"):
            self._fs.rm_file(f"{self._path}/{name}")

    def clear(self) -> None:
        """Remove the job's files; they need not be there, and what is not ours stays."""
        with _told(str(self)), suppress(FileNotFoundError):
            self._fs.invalidate_cache()
            for path in self._fs.ls(self._path, detail=False):
                if OURS.fullmatch(path.rpartition("/")[2]):
                    self._fs.rm_file(path)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Whatever a protocol's package raises, as a StoreError that names the file."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise StoreError(f"{where}: {said}") from error
