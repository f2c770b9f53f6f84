"""A package index: small distributions made on the spot, served as PEP 503 says, over HTTP, to whoever can reach it."""

from __future__ import annotations

import hashlib
import html
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Distribution:
    """One file of the index."""

    name: str
    version: str = "1.0"
    needs: tuple[str, ...] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    """Console scripts: name -> `module:function`."""
    python: str = ">=3.8"
    broken_source: bool = False
    """There is no wheel of it, and building one fails as without a compiler."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Path -> text; without any, a module of its name with `version`."""

    @property
    def filename(self) -> str:
        stem = f"{self.name.replace('-', '_')}-{self.version}"
        return f"{stem}.tar.gz" if self.broken_source else f"{stem}-py3-none-any.whl"

    def data(self) -> bytes:
        return self._source() if self.broken_source else self._wheel()

    def _files(self) -> Mapping[str, str]:
        return self.modules or {f"{self.name.replace('-', '_')}.py": f"version = {self.version!r}\n"}

    def _metadata(self) -> str:
        needs = "".join(f"Requires-Dist: {need}\n" for need in self.needs)
        head = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n"
        return f"{head}Requires-Python: {self.python}\n{needs}"

    def _wheel(self) -> bytes:
        info = f"{self.name.replace('-', '_')}-{self.version}.dist-info"
        scripts = "".join(f"{name} = {target}\n" for name, target in self.scripts.items())
        files = {
            **self._files(),
            f"{info}/METADATA": self._metadata(),
            f"{info}/WHEEL": _WHEEL,
            **({f"{info}/entry_points.txt": f"[console_scripts]\n{scripts}"} if scripts else {}),
        }
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in files.items():
                archive.writestr(zipfile.ZipInfo(path), text)
        return out.getvalue()

    def _source(self) -> bytes:
        backend = "def _no(*_):\n    raise SystemExit(\"error: command 'gcc' failed: No such file or directory\")\nbuild_wheel = get_requires_for_build_wheel = prepare_metadata_for_build_wheel = _no\n"
        project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, text in {"pyproject.toml": project, "backend.py": backend, "PKG-INFO": self._metadata()}.items():
                info = tarfile.TarInfo(f"{self.filename.removesuffix('.tar.gz')}/{path}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        return out.getvalue()


CONTENT: tuple[Distribution, ...] = (
    Distribution("km-plain", "1.0"),
    Distribution("km-plain", "2.0"),
    Distribution(
        "km-says", scripts={"km-say": "km_says:main"}, modules={"km_says.py": "def main():\n    print('said')\n"}
    ),
    Distribution("km-needs", needs=("km-plain>=1",)),
    Distribution("km-old-only", needs=("km-plain<2",)),
    Distribution("km-on-numpy", needs=("numpy",)),
    Distribution("km-on-new-numpy", needs=("numpy>=99",)),
    Distribution("numpy", "99.0", modules={"numpy/__init__.py": "__version__ = '99.0'\n"}),
    Distribution("km-later", python=">=3.99"),
    Distribution("km-built", broken_source=True),
    Distribution("km-import-name", modules={"km_imported/__init__.py": "version = '1.0'\n"}),
)


class Index:
    """The running server. `asked` has the paths of all requests."""

    def __init__(self, server: ThreadingHTTPServer, content: Sequence[Distribution]) -> None:
        self.port = server.server_port
        self.asked: list[str] = []
        self.files = {found.filename: found.data() for found in content}
        self._by_name: dict[str, list[Distribution]] = {}
        for found in content:
            self._by_name.setdefault(found.name, []).append(found)

    def url(self, address: str = "127.0.0.1") -> str:
        return f"http://{address}:{self.port}/simple/"

    def digest(self, filename: str) -> str:
        return hashlib.sha256(self.files[filename]).hexdigest()

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body; None: not found."""
        self.asked.append(path)
        parts = path.strip("/").split("/")
        if parts[0] == "files" and parts[-1] in self.files:
            return "application/octet-stream", self.files[parts[-1]]
        if parts[0] == "simple" and len(parts) == 2 and parts[1] in self._by_name:
            links = "".join(
                f'<a href="/files/{found.filename}#sha256={self.digest(found.filename)}"'
                f' data-requires-python="{html.escape(found.python)}">{found.filename}</a><br>\n'
                for found in self._by_name[parts[1]]
            )
            return "text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        return None


@contextmanager
def serving(content: Sequence[Distribution] = CONTENT, address: str = "0.0.0.0") -> Iterator[Index]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            found = index.answer(self.path.partition("?")[0])
            kind, body = found or ("text/plain", b"not found")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return body

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((address, 0), Handler) as server:
        server.daemon_threads = True
        index = Index(server, content)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    with serving() as running:
        print(running.url(), flush=True)
        threading.Event().wait()
