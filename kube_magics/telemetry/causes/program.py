"""How a program ended, in its own words: the runner's last one, or the last lines of its log.

Only what the words say beyond doubt is named; of everything else they are quoted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kube_magics.runner import protocol
from kube_magics.runner.imports import distribution
from kube_magics.spec.quantities import human_bytes
from kube_magics.telemetry.causes.cause import Cause

LOGS = "%kube logs NAME"
_ROOM = "write less, or what is large to a --volume CLAIM:/path; ask your administrator for more room"
_SHM = "--shm 8Gi (in-memory /dev/shm), or fewer workers (num_workers=0)"
_ELSEWHERE = "write to a --volume CLAIM:/path (or below /tmp, where that may be written to)"


def _pip(found: re.Match[str]) -> tuple[str, str]:
    name = found["module"]
    top = name.partition(".")[0]
    package = distribution(name) if distribution(name) != name else distribution(top)
    if "." in name and package == top:
        what = f"It imports {name}, which its version of {top} does not have (or it has none)."
        return what, f'--pip "{package}==VERSION"   (one that has it)'
    fix = f'--pip "{package}"   (or an --image that has it; on this machine: %pip install {package})'
    return f"It imports {name}, which is not installed there.", fix


def _unwritable_home(found: re.Match[str]) -> tuple[str, str]:
    what = f"It may not write to {found['path']}: its user has no home of its own there."
    return what, "--env HOME=/tmp   (or the variable by which the library that it names is told its folder)"


@dataclass(frozen=True)
class _Words:
    kind: str
    pattern: re.Pattern[str]
    meaning: Callable[[re.Match[str]], tuple[str, str]]
    """The sentence, and what to type next."""


def _always(sentence: str, fix: str) -> Callable[[re.Match[str]], tuple[str, str]]:
    return lambda _found: (sentence, fix)


_NAMED = (
    # PyTorch's c10/cuda/CUDACachingAllocator.cpp; TensorFlow's core/framework/op_kernel.cc; JAX' words where a GPU's
    # allocator gives up (github.com/jax-ml/jax/issues/22755): of the processor's memory they are others; CuPy's, and
    # cuBLAS' where nothing is left for its own tables, as an H100 gave them.
    _Words(
        "gpu-memory",
        re.compile(
            r"(?:CUDA|HIP) out of memory|CUDA error: out of memory|OOM when allocating tensor.*device:GPU"
            r"|RESOURCE_EXHAUSTED: Out of memory while trying to allocate"
            r"|RESOURCE_EXHAUSTED: Failed to allocate request .* device ordinal"
            r"|OutOfMemoryError: Out of memory allocating [\d,]+ bytes \(allocated so far|CUBLAS_STATUS_ALLOC_FAILED"
        ),
        _always(
            "The GPU had not enough memory for it.",
            "a smaller batch, or a GPU with more memory (%kube gpus shows them)",
        ),
    ),
    # PyTorch's torch/csrc/cuda/Module.cpp and torch/cuda/__init__.py; the CUDA runtime's name and words for it.
    _Words(
        "no-gpu",
        re.compile(
            r"No CUDA GPUs are available|Found no NVIDIA driver on your system|no CUDA-capable device is detected"
        ),
        _always("It found no GPU.", "--gpus 1   (with it already: an --image with CUDA)"),
    ),
    _Words(
        "no-gpu",
        re.compile(r"Torch not compiled with CUDA enabled"),
        _always("Its torch is built without CUDA.", "an --image whose torch has CUDA"),
    ),
    _Words(
        "no-gpu",
        re.compile(r"CUDA error: invalid device ordinal|cudaErrorInvalidDevice: invalid device ordinal"),
        _always("It uses a GPU by a number that it has not.", "more --gpus, or a smaller number: the first is cuda:0"),
    ),
    # Of torch, CuPy and programs of one's own: the CUDA runtime's words.
    _Words(
        "gpu-code",
        re.compile(r"no kernel image is available for execution on the device"),
        _always(
            "Its libraries are not built for this kind of GPU.",
            "an --image with newer ones, or another kind of GPU (%kube gpus shows them)",
        ),
    ),
    # NCCL's src/init.cc and src/bootstrap.cc, 2.28.
    _Words(
        "nccl",
        re.compile(r"Duplicate GPU detected"),
        _always(
            "Two of its processes use one GPU.",
            'as many --gpus as processes, and torch.cuda.set_device(int(os.environ["LOCAL_RANK"])) in each',
        ),
    ),
    _Words(
        "nccl",
        re.compile(r"Bootstrap : no socket interface found"),
        _always(
            "NCCL found none of the network interfaces that it may use.",
            "leave NCCL_SOCKET_IFNAME out, or name one that its pod has: --env NCCL_SOCKET_IFNAME=eth0",
        ),
    ),
    _Words("module", re.compile(r"No module named '?(?P<module>[\w.]+)'?"), _pip),
    # PyTorch's torch/csrc/DataLoader.cpp and aten/src/ATen/MapAllocator.cpp; NCCL's src/misc/shmutils.cc.
    _Words(
        "shared-memory",
        re.compile(
            r"workers are out of shared memory|insufficient shared memory \(shm\)"
            r"|unable to (?:write to|resize|stretch|allocate shared memory\(shm\) for) file </torch_"
            r"|</torch_\w+>.*No space left on device"
            r"|No space left on device.*/dev/shm|/dev/shm.*No space left on device"
            r"|[Ee]rror while creating shared memory segment /dev/shm"
        ),
        _always("Its processes had not enough shared memory (/dev/shm).", _SHM),
    ),
    # inotify says the same words of something that no room on a disk mends.
    _Words(
        "disk-full",
        re.compile(r"^(?!.*inotify).*(?:No space left on device|Disk quota exceeded)"),
        _always("A disk that it writes to is full.", _ROOM),
    ),
    _Words(
        "read-only",
        re.compile(r"Read-only file system(?:: '(?P<path>[^']*)')?"),
        _always("It writes where the file system is read-only.", f"{_ELSEWHERE}; leave --read-only-root out, if given"),
    ),
    _Words(
        "home",
        re.compile(r"Permission denied: '(?P<path>/(?:root|home|nonexistent|\.[a-z]\w*)(?:/[^']*)?)'"),
        _unwritable_home,
    ),
    _Words(
        "home",
        re.compile(r"getpwuid\(\): uid not found|No username set in the environment"),
        _always("Its user has no name in the image.", "--env USER=user --env LOGNAME=user, or --run-as image"),
    ),
    # runc, with and without the name of the program.
    _Words(
        "architecture",
        re.compile(r"^exec \S+: exec format error|exec user process caused:? \"?exec format error"),
        _always(
            "The image is built for other processors than its node's (or its program has no first line #!).",
            "--image for the node's processors, or --node-selector kubernetes.io/arch=amd64 (or arm64)",
        ),
    ),
)


LONGEST_BYTES = 1000
"""Of a line: what says why a program ended says it at its beginning."""


def plain_lines(log: bytes) -> list[str]:
    """A log as its program wrote it, both streams; of our runner's, without its events."""
    decoded = (protocol.decode(line) for line in log.splitlines())
    return [line.payload[:LONGEST_BYTES].decode("utf-8", "replace") for line in decoded if line.event is None]


_EXCEPTION = re.compile(r"(?:\[[^\]]*\]:?\s*)?(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b")
"""The last line of a traceback, also behind torchrun's [rank0]:"""
_OTHERS = re.compile(
    r"ChildFailedError|DataLoader worker \(pid.*exited unexpectedly|BrokenProcessPool|CalledProcessError"
)
"""What a parent says of a process that has told before why it ends."""
_TOLD = re.compile(
    r"exec |standard_init_linux|ERROR: Unexpected bus error|\S*python[\d.]*: No module named "
    r"|(?:\[rank\d+\]: )?(?:Duplicate GPU detected|Bootstrap : no socket interface found)"
    r"|(?:\(\d+\) )?(?:Resource exhausted: |RESOURCE_EXHAUSTED: )?OOM when allocating tensor "
)
"""Other lines by which a program, or what was to start it, says why it ends."""
_OF_A_COMMAND = re.compile(
    r"(?!warn|info|debug)[\w./-]+: .*: (?:No space left on device|Read-only file system)$", re.IGNORECASE
)


def named(lines: Sequence[str]) -> Cause | None:
    """What the last lines of a program say that ended it; None: nothing that is known.

    The last exception counts: one before it may have been caught, and a line that only mentions one ends nothing.
    """
    last = True
    for line in (line.strip() for line in reversed(lines) if line.strip()):
        is_one = _EXCEPTION.match(line) is not None
        if is_one or _TOLD.match(line) or (last and _OF_A_COMMAND.match(line)):
            for words in _NAMED:
                if found := words.pattern.search(line):
                    sentence, fix = words.meaning(found)
                    return Cause(words.kind, sentence, line, fix)
        if is_one and not _OTHERS.search(line):
            return None
        last = False
    return None


def of_exception(kind: str, message: str) -> Cause | None:
    """What an exception says; of further lines of its message only those by which libraries are known to."""
    first, _, more = message.partition("\n")
    return named([f"{kind}: {first}"]) or named([line for line in more.splitlines() if _TOLD.match(line.strip())])


def in_its_words(cause: Cause, lines: Sequence[str]) -> Cause:
    """A cause that only knows an exit code, told by what the program said last."""
    meant = named(lines)
    if meant is not None:
        return replace(meant, exit_code=cause.exit_code)
    if cause.kind == "signal":
        return cause  # what it said last has nothing to do with it
    last = next((line.strip() for line in reversed(lines) if line.strip()), None)
    return replace(cause, said=cause.said or last)


_STORE = ("It cannot use its --artifacts.", "--secret for its credentials, --volume for a folder; %kube logs NAME")
_BESIDE: Mapping[Any, tuple[str, str]] = {
    "install": (
        "Its packages could not be installed.",
        f"{LOGS}; --pip none, or an --image with them",
    ),
    "fetch": _STORE,
    "collect": _STORE,
    "bundle": ("It could not start its program.", "correct --python, --workdir or --image"),
    "start": ("It could not start its program.", "correct --python, --workdir or --image"),
    "runner": ("It is over, and how it ended is not known: its runner failed.", f"{LOGS}, then run the cell again"),
    "bytecode": (
        "It needs the notebook's Python, and its image has another.",
        "--image with the notebook's Python",
    ),
}
"""Ends that are not the program's, by the runner's reason."""


def of_end(end: Mapping[str, Any] | None) -> Cause | None:
    """What the runner's last word says; None: it came to its end, or there is no such word."""
    if not end or (end.get("reason", "completed") == "completed" and end.get("code") in (0, None)):
        return None
    reason, code, signal = end.get("reason"), end.get("code"), end.get("signal")
    said = str(end.get("error") or "") or None
    if reason == "timeout":
        return Cause("deadline", "It ran longer than its --timeout, and was stopped.", said, "a longer --timeout")
    if reason == "stopped":
        return Cause("stopped", "It was told to end, and ended.", said, "run the cell again")
    if reason == "oom":
        peak = end.get("peak_memory_bytes")
        told = f"peak memory {human_bytes(peak)}" if isinstance(peak, (int, float)) and peak > 0 else said
        return Cause("oom", "It was killed at its memory limit.", told, "a larger --memory")
    if reason == "signal" and isinstance(signal, int):
        return killed(signal, said)
    number = code if isinstance(code, int) else None
    if isinstance(reason, str) and reason in _BESIDE:
        sentence, fix = _BESIDE[reason]
        return Cause("exit", sentence, said, fix, exit_code=number)
    found = Cause("exit", f"The program ended with exit code {code}.", said, LOGS, exit_code=number)
    return in_its_words(found, (said or "").splitlines())


WANT_OF_MEMORY = "   (want of memory kills so too, where the node does not tell: --memory)"
"""A runtime may hear of the kernel's kill too late to call it OOMKilled."""
SIGKILL, SIGBUS = 9, 7


def killed(signal: int, said: str | None = None) -> Cause:
    """By its number, as Linux has it; the exit code is 128 more."""
    fix = LOGS + (WANT_OF_MEMORY if signal == SIGKILL else "")
    if signal == SIGBUS:
        fix = f"--shm 8Gi, if its processes share memory (a DataLoader's workers do); else {LOGS}"
    return Cause("signal", f"The container was killed by signal {signal}.", said, fix, exit_code=128 + signal)
