"""A user at a notebook: a kernel, the place where its jobs run, and what is left there."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster import Cluster, Namespace
from tests.cluster.objects import objects
from tests.kernel import Kernel, Ran

T = TypeVar("T")

LOGS = Path(".kube_magics") / "logs"
ROLE = "kube-magics-user"
PATIENCE_S = 90.0
NOWHERE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "lab",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}}],
}
"""A kubeconfig of a cluster that nobody reaches, for what is looked at before any cluster is asked."""
_COMMAND = re.compile(
    r"%kube (?:logs|attach|stop|delete|config) [^\s,)]+|%kube (?:jobs|gpus)|%kube\?|%%kubetrain\?|--[a-z-]+(?: [^\s,;()]+)?"
)


def eventually(look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true answer of `look`; patience is for a broken product, no test waits for it otherwise."""
    until = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < until, f"never came: {what}"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Desk:
    """One user's kernel in `folder`."""

    kernel: Kernel
    folder: Path
    state: Path
    """Where this user's local jobs are kept."""
    space: Namespace | None = None
    """Where this user's jobs run; None: on this machine."""

    def run(self, source: str, timeout_s: float = 180) -> Ran:
        return self.kernel.run(source, timeout_s)

    def right(self, source: str, timeout_s: float = 180) -> Ran:
        """A cell that must succeed."""
        ran = self.kernel.run(source, timeout_s)
        assert ran.error is None, ran
        return ran

    def left(self) -> set[str]:
        """What the jobs of this user have made and nobody has removed.

        Meanwhile the cluster still removes what was deleted before: `<=` says that nothing was made.
        """
        found = {f"log {path.name}" for path in (self.folder / LOGS).glob("*")}
        jobs = self.state / "jobs"
        found |= {f"folder {path.name}" for path in jobs.iterdir() if path.is_dir()} if jobs.is_dir() else set()
        if self.space is not None:
            found |= {each.name for each in objects(self.space)} - {"configmap/kube-root-ca.crt"}
        return found

    def settles(self, before: set[str]) -> None:
        """Nothing more is left than `before`; the cluster takes a moment to remove a pod."""
        eventually(lambda: not self.left() - before, f"only {before}, not {self.left()}")

    def log(self, name: str) -> str:
        path = self.folder / LOGS / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.is_file() else ""

    def says(self, name: str, text: str) -> None:
        """Wait until job `name` has printed `text`."""
        eventually(lambda: text in self.log(name), f"{text!r} in the log of {name}: {self.log(name)!r}")


@contextmanager
def desk(
    folder: Path,
    cluster: Cluster | None = None,
    *,
    through: Callable[[Path], AbstractContextManager[Path]] = nullcontext,
) -> Iterator[Desk]:
    """A user with a home of their own; with `cluster`, one who has a namespace there and named its context.

    `through` makes of that namespace's kubeconfig the one that the kernel is given.
    """
    folder.mkdir(exist_ok=True)
    home = folder / "home"
    home.mkdir()
    work = folder / "work"
    work.mkdir()
    state = folder / "state"
    environment = {"HOME": str(home), "KUBE_MAGICS_STATE": str(state), "KUBE_MAGICS_NOTEBOOK": "acceptance.ipynb"}
    space = None
    if cluster is not None:
        space = cluster.namespace()
        environment |= {
            "KUBE_MAGICS_CONTEXT": space.context,
            "KUBE_MAGICS_IMAGE": cluster.images.quickstart,
        }
    try:
        with ExitStack() as exits:
            if space is not None:
                environment["KUBECONFIG"] = str(exits.enter_context(through(space.kubeconfig)))
            kernel = exits.enter_context(Kernel(work, environment))
            made = Desk(kernel, work, state, space)
            made.right("%load_ext kube_magics")
            yield made
    finally:
        if space is not None:
            from tests.cluster.namespaces import delete

            delete(space)


def environment(desk: Desk) -> dict[str, str]:
    """Of a second process of the same user."""
    names = (
        "HOME",
        "KUBE_MAGICS_STATE",
        "KUBE_MAGICS_NOTEBOOK",
        "KUBECONFIG",
        "KUBE_MAGICS_CONTEXT",
        "KUBE_MAGICS_IMAGE",
    )
    ran = desk.right(f"import json, os\nprint(json.dumps({{n: os.environ[n] for n in {names!r} if n in os.environ}}))")
    found: dict[str, str] = json.loads(ran.stdout)
    return found


def next_lines(ran: Ran) -> str:
    """What the error tells to type next."""
    found = re.findall(r"^  next: (.*)$", ran.traceback, re.MULTILINE)
    assert found, f"no `next:` line in {ran.traceback}"
    return "\n".join(found)


def suggested(ran: Ran) -> str | None:
    """The command that stands first in the error's `next:` line; None: it tells in words."""
    match = _COMMAND.search(next_lines(ran))
    return match[0] if match else None


def corrected(line: str, command: str, wrong: str = "") -> str:
    """`line` with the suggested option in the place of the wrong one, else behind it."""
    option, _, value = command.partition(" ")
    words = shlex.split(line)
    if wrong:
        return shlex.join(option if word == wrong else word for word in words)
    if option in words:
        at = words.index(option)
        # Everything up to the next option was meant as its value.
        stop = next((i for i in range(at + 1, len(words)) if words[i].startswith("--")), len(words))
        words[at:stop] = [option, value] if value else [option]
        return shlex.join(words)
    return shlex.join([*words, option, *([value] if value else [])])


def admin_of(desk: Desk) -> Namespace:
    """The namespace of a user of the cluster."""
    assert desk.space is not None
    return desk.space


@contextmanager
def without(space: Namespace, resource: str, verb: str) -> Iterator[None]:
    """The user's Role without `verb` on `resource`."""
    here = f"--namespace={space.name}"
    role = space.admin.get("role", ROLE, here)
    rules = [
        {**rule, "resources": [one], "verbs": [each for each in rule["verbs"] if (one, each) != (resource, verb)]}
        for rule in role["rules"]
        for one in rule["resources"]
    ]
    _set_rules(space, [rule for rule in rules if rule["verbs"]])
    eventually(lambda: not _may(space, verb, resource), f"no right to {verb} {resource}")
    try:
        yield
    finally:
        _set_rules(space, role["rules"])
        eventually(lambda: _may(space, verb, resource), f"the right to {verb} {resource}")


def _set_rules(space: Namespace, rules: list[dict[str, Any]]) -> None:
    patch = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    space.admin("patch", "role", ROLE, f"--namespace={space.name}", "--type=json", f"--patch={patch}")


def _may(space: Namespace, verb: str, resource: str) -> bool:
    kind, _, part = resource.partition("/")
    more = [f"--subresource={part}"] if part else []
    return space.kubectl("auth", "can-i", verb, kind, *more, check=False).stdout.strip() == "yes"
