"""`run [options] SCRIPT|IMAGE -- ARGUMENTS`: a file of this machine runs as a cell does, an image as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from kube_magics.cells.checks.credentials import refuse
from kube_magics.cells.checks.exposure import in_modules
from kube_magics.cells.script import capture_script, is_path
from kube_magics.errors import CellError, OptionError
from kube_magics.jobs import defaults, here
from kube_magics.jobs import submit as submitting
from kube_magics.jobs.interrupt import Interrupts
from kube_magics.jobs.job import Job
from kube_magics.jobs.origin import Origin
from kube_magics.spec.credentials import check_arguments
from kube_magics.spec.job import JobSpec
from kube_magics.spec.options import OPTIONS
from kube_magics.spec.parse import parse, takes
from kube_magics.verbs.door import Call, Door
from kube_magics.verbs.launch import ended, launch, print_manifests, shown

MAGIC = "%kube run"
NOT_FOR_SCRIPTS = {
    "returns": "the names of a script do not come back; --returns-files brings what it writes",
}
_TYPED = {typed: option for option in OPTIONS for typed in (f"--{option.name}", option.short) if typed}
_PYTHON = re.compile(r"(?:.*/)?python(?:3(?:\.\d+)?)?")
FOR_IMAGES = (
    *("gpus", "gpu_resource", "cpus", "memory", "shm", "timeout", "grace", "retries", "ttl", "image_pull_secret"),
    *("run_as", "workdir", "read_only_root", "env", "secret", "volume", "capture", "name", "detach", "dry_run"),
    *("namespace", "context", "backend", "queue", "priority", "node_selector", "toleration", "service_account"),
    *("labels", "annotations", "debug"),
)


def run(call: Call) -> Job | None:
    """The whole life of one script or image; raises its exception, or what stood in the way. With --detach: its job."""
    words, folder = call.names, Path.cwd()
    at = words.index("--") if "--" in words else len(words)
    arguments = words[at + 1 :]
    target, asked = split(words[:at], arguments)
    if not target:
        target, arguments = _of_command(arguments, folder)
    spec = _parsed(target, asked, typed_dashes="--" in words)
    check_arguments(arguments, spec.capture)
    if is_path(target, folder):
        return _script(call.door, target, spec, arguments, folder)
    return _image(call.door, target, spec, arguments, folder)


def _of_command(words: Sequence[str], folder: Path) -> tuple[str, tuple[str, ...]]:
    """The script, and its arguments, of `python train.py …`."""
    program, *rest = words
    if _PYTHON.fullmatch(program) and rest and is_path(rest[0], folder):
        return rest[0], tuple(rest[1:])
    if is_path(program, folder):
        return program, tuple(rest)
    what = f"{MAGIC} runs Python scripts, and images as they are: {' '.join(words[:2])!r} is neither."
    raise OptionError(what, hint=f"{MAGIC} -- python train.py, or {MAGIC} IMAGE -- ARGUMENTS")


def split(words: Sequence[str], command: Sequence[str] = ()) -> tuple[str, list[str]]:
    """The script or image, and its options, which stand before or behind it. Raises OptionError where there is none.

    Where a `command` names it, it may be missing here: it is "" then.
    """
    before: list[str] = []
    left = list(words)
    while left and left[0].startswith("-"):
        word = left.pop(0)
        before.append(word)
        option = _TYPED.get(word.partition("=")[0])
        if option is None:
            parse([word], MAGIC)  # raises: whether the next word is its value, nobody can say
        elif left and "=" not in word and takes(option, word, left[0]):
            before.append(left.pop(0))
    if not left and command:
        return "", before
    if not left:
        raise OptionError(f"{MAGIC} takes a script or an image.", hint=f"{MAGIC} train.py -- --lr 1e-3")
    return left[0], [*before, *left[1:]]


def _parsed(target: str, words: Sequence[str], *, typed_dashes: bool) -> JobSpec:
    try:
        given = parse(words, MAGIC)
    except OptionError as error:
        if not typed_dashes:
            # `%kube run train.py --lr 1e-3` is what one types first.
            error.hint = f"{error.hint}\n{MAGIC} {target} -- {' '.join(words)}   (arguments stand behind --)"
        raise
    return defaults.spec(given)


def _script(door: Door, script: str, spec: JobSpec, arguments: Sequence[str], folder: Path) -> Job | None:
    for field, why in NOT_FOR_SCRIPTS.items():
        if getattr(spec, field):
            raise OptionError(f"{MAGIC} takes no --{field}: {why}.", hint=f"{MAGIC} {script}")
    captured = submitting.with_files(spec, capture_script(script, arguments, folder))
    own = (captured.cargo.script,) if captured.cargo.script else ()
    refuse(in_modules((*own, *captured.cargo.modules)), spec.capture)
    # Names of the notebook are none of the script's: an exception class of its own is not one of the same name here.
    origin = Origin({}, captured.definitions(None), (), spec.timeout)
    text = captured.cargo.script.data.decode("utf-8", "replace") if captured.cargo.script else ""
    sent, notebook = door.sent(text), here.notebook_path()
    if notebook is None and not door.lasting:
        notebook = str((folder / script).absolute())
    return launch(door, spec, captured, origin, stem=PurePath(script).stem, cell=sent, notebook=notebook)


def _image(door: Door, image: str, spec: JobSpec, arguments: Sequence[str], folder: Path) -> Job | None:
    if (folder / f"{image}.py").is_file():
        raise CellError(
            f"{image} is no file, and {image}.py is one.",
            hint=f"{MAGIC} {image}.py   (the image: {MAGIC} docker.io/library/{image})",
        )
    for option in OPTIONS:
        if option.field not in FOR_IMAGES and option.field in spec.given:
            raise OptionError(
                f"--{option.name} is for scripts and cells: an image runs as it is, with its own entry point.",
                hint=f"{MAGIC} {image}   (without --{option.name})",
            )
    spec = replace(spec, image=image)
    backend = submitting.place(spec)
    if backend.kind == "local":
        raise OptionError(
            f"{image} is no file here, so it means an image; images run on a cluster, and jobs run on this machine.",
            hint="%kube config context=NAME   (a cluster of your kubeconfig), or %kube run SCRIPT.py",
        )
    prepared = submitting.prepare_image(spec, backend, image, arguments, notebook=here.notebook_path())
    if spec.dry_run:
        print_manifests(prepared)
        return None
    with Interrupts() as interrupts:  # until somebody waits for it
        door.note(f"job {prepared.submission.name} on {backend.where()}")
        job = submitting.submit(prepared, None)
        pane = shown(job, interrupts, detach=spec.detach)
    return ended(door, job, pane)
