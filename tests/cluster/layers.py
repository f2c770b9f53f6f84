"""The layers of the test images: Debian by mmdebstrap, Python packages by uv, single programs, this checkout.

Each layer is a tar in the cache, keyed by what went into it, made under a temporary name and renamed.
Undo: remove the ``layers`` folder of the cache.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import oci
from .packages import search_path
from .paths import CHECKOUT, LAYERS

# Documentation and translations are half of a minimal system.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")


def digest(*parts: object) -> str:
    """A short key for what goes into a layer or an image."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def files_digest(root: Path, pattern: str) -> str:
    """A key for the content of the files below ``root``."""
    files = sorted(path for path in root.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts)
    return digest(*((str(path.relative_to(root)), path.read_bytes()) for path in files))


def debian(suite: str, packages: Sequence[str], kind: str = "debian") -> oci.Layer:
    """A minimal Debian of ``suite`` with ``packages``, from the mirror that this machine's own apt uses.

    Of each ``kind`` and suite the cache keeps one; another time the same packages are another layer.
    """

    def build(target: Path) -> None:
        command = [
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--format=tar",
            f"--include={','.join(packages)}",
            '--aptopt=Acquire::Languages "none"',
            *(f"--aptopt={line}" for line in _apt_proxies()),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
            suite,
            str(target),
            *_mirror(),
        ]
        _run(command, env={"PATH": search_path(), "LC_ALL": "C.UTF-8"})

    return _cached(f"{kind}-{suite}", digest(suite, sorted(packages), _LEFT_OUT), build)


def python_packages(
    base: oci.Layer, python: str, requirements: Sequence[str], constraints: Path, kind: str = "python"
) -> oci.Layer:
    """A layer above ``base`` with ``requirements`` for its Python (``3.11``), byte-compiled by that very Python.

    Of each ``kind`` the cache keeps one.
    """
    site = f"usr/local/lib/python{python}/dist-packages"

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=LAYERS, prefix=".root-") as name:
            root = Path(name)
            with tarfile.open(base.path) as tar:
                tar.extractall(root, filter="fully_trusted")
            # Nothing of the base's own belongs in the new layer.
            shutil.rmtree(root / "usr/local", ignore_errors=True)
            _install(root / site, python, requirements, constraints)
            # uid 1000 cannot write bytecode into the image: without it each import of scikit-learn takes seconds.
            compile_all = ["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", f"/{site}"]
            _run(["chroot", str(root), "/usr/bin/python3", *compile_all], accept=(0, 1))
            oci.write_tree(target, {"usr/local": root / "usr/local"})

    key = digest(base.digest, python, sorted(requirements), constraints.read_bytes())
    return _cached(f"{kind}-{python}", key, build)


def programs(name: str, files: Mapping[str, Path]) -> oci.Layer:
    """A layer of single files (path in the image -> path here)."""
    key = digest(*((path, hashlib.sha256(source.read_bytes()).hexdigest()) for path, source in sorted(files.items())))
    return _cached(name, key, lambda target: oci.write_tree(target, files))


def scripts(name: str, texts: Mapping[str, str]) -> oci.Layer:
    """A layer of programs that are text (name -> text), in /usr/local/bin."""

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=LAYERS) as folder:
            for each, text in texts.items():
                Path(folder, each).write_text(text)
                Path(folder, each).chmod(0o755)
            oci.write_tree(target, {f"usr/local/bin/{each}": Path(folder, each) for each in texts})

    return _cached(f"scripts-{name}", digest(sorted(texts.items())), build)


def node_packages(name: str, locked: Path) -> oci.Layer:
    """A layer of what ``package-lock.json`` in ``locked`` names, in /srv/``name``; no script of a package is run."""
    files = [locked / each for each in ("package.json", "package-lock.json")]

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=LAYERS) as folder:
            # A temporary folder itself is for its owner alone.
            made = Path(folder, name)
            made.mkdir(0o755)
            for each in files:
                shutil.copy(each, made)
            _run(["npm", "ci", f"--prefix={made}", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"])
            oci.write_tree(target, {f"srv/{name}": made})

    return _cached(f"npm-{name}", digest(*(each.read_bytes() for each in files)), build)


def static_program(name: str, source: str) -> Path:
    """A static program of ``source`` (C), for an image that has nothing else."""
    program = LAYERS / f"program-{name}-{digest(source)}"
    if not program.exists():
        LAYERS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=LAYERS) as folder:
            built = Path(folder) / name
            subprocess.run(
                ["cc", "-O2", "-static", "-x", "c", "-o", str(built), "-"], input=source.encode(), check=True
            )
            built.rename(program)
    return program


def checkout(python: str) -> oci.Layer:
    """This checkout's ``kube_magics`` as it is now, without bytecode."""
    package = CHECKOUT / "kube_magics"

    def build(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=LAYERS) as folder:
            copy = Path(folder) / "kube_magics"
            shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__"))
            oci.write_tree(target, {f"usr/local/lib/python{python}/dist-packages/kube_magics": copy})

    return _cached(f"checkout-{python}", checkout_digest(python), build)


def checkout_digest(python: str) -> str:
    return digest(python, files_digest(CHECKOUT / "kube_magics", "*"))


def _install(site: Path, python: str, requirements: Sequence[str], constraints: Path) -> None:
    # uv, not pip: pip evaluates environment markers for its own interpreter, whatever --python-version says.
    _run([
        sys.executable, "-m", "uv", "pip", "install", "--quiet",
        "--target", str(site),
        "--python-version", python,
        "--python-platform", "linux",
        "--only-binary", ":all:",
        "--constraint", str(constraints),
        *requirements,
    ])  # fmt: skip
    # Scripts would name this machine's interpreter, and `python3 -m` does without. Kernel specs must be where Jupyter
    # looks for them.
    shutil.rmtree(site / "bin", ignore_errors=True)
    for data in ("share", "etc"):
        if (site / data).is_dir():
            shutil.copytree(site / data, site.parents[2] / data, dirs_exist_ok=True)
            shutil.rmtree(site / data)


def _cached(kind: str, key: str, build: Callable[[Path], None]) -> oci.Layer:
    LAYERS.mkdir(parents=True, exist_ok=True)
    path = LAYERS / f"{kind}-{key}.tar"
    if not path.exists():
        started = time.monotonic()
        print(f"making image layer {path.stem}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=LAYERS, prefix=".making-") as folder:
            made = Path(folder) / "layer.tar"
            build(made)
            made.rename(path)
        print(f"made {path.stem} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        _prune(kind, keep=path)
    return oci.layer(path)


def _prune(kind: str, keep: Path) -> None:
    for old in LAYERS.glob(f"{kind}-*"):
        if old.stem != keep.stem:
            old.unlink(missing_ok=True)


def _mirror() -> list[str]:
    """The main archive that this machine's apt is configured with; empty (mmdebstrap's own choice) if it has none."""
    if not shutil.which("apt-get"):
        return []
    fields = "$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT) $(CREATED_BY)"
    done = subprocess.run(["apt-get", "indextargets", "--format", fields], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        uri, _, rest = line.partition(" ")
        codename, *about = rest.split()
        # bookworm-updates and bookworm-security have the dash, and other contents.
        if about == ["Debian", "main", "Packages"] and "-" not in codename:
            return [uri]
    return []


def _apt_proxies() -> list[str]:
    """The machine's own proxy settings, as apt configuration lines."""
    if not shutil.which("apt-config"):
        return []
    names = ["Acquire::http::Proxy", "Acquire::https::Proxy"]
    done = subprocess.run(["apt-config", "dump", *names], capture_output=True, text=True, check=False)
    return [line.rstrip(";") for line in done.stdout.splitlines() if line.startswith("Acquire::") and '""' not in line]


def _run(command: Sequence[str], env: Mapping[str, str] | None = None, accept: Sequence[int] = (0,)) -> None:
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode not in accept:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-3000:]}")
