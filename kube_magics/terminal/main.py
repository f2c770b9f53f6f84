"""The command `kube-magics VERB …`."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence

from kube_magics.spec.verbpages import TERMINAL, help_text, verb_help
from kube_magics.spec.verbs import VERBS
from kube_magics.terminal.codes import FAILED, INTERRUPTED, NOT_RUN, PIPE, USAGE
from kube_magics.version import VERSION

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_HELP = ("help", "-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the exit code is as docs/verbs.md has it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that has no letter for what a job prints shows its number; stderr does so by itself.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _quick(words)
        if code is None:
            from kube_magics.terminal.run import run

            code = run(words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # `kube-magics logs NAME | head`: nothing more can be said.
        _give_up()
        return PIPE
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        sys.stderr.write(f"the output cannot be written: {error.strerror}\n")
        _give_up()
        return NOT_RUN if words[:1] in (["run"], ["attach"]) else FAILED
    return code


def _give_up() -> None:
    """Python would try once more at its end to write what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _quick(words: Sequence[str]) -> int | None:
    """What needs no more than the table of verbs; None: it is something else."""
    first, *rest = words or ["help"]
    if first in _HELP and not rest:
        print(help_text(TERMINAL))
    elif first in _HELP and rest[0] in VERBS:
        print(verb_help(VERBS[rest[0]], TERMINAL))
    elif first in VERBS and {"-h", "--help"} & set(rest[: rest.index("--")] if "--" in rest else rest):
        print(verb_help(VERBS[first], TERMINAL))
    elif first in ("--version", "version"):
        print(f"{TERMINAL} {VERSION}")
    elif first in ("completion", "complete"):
        from kube_magics.terminal import completion

        return completion.script(rest) if first == "completion" else completion.offer(rest)
    else:
        return None
    return 0 if words else USAGE
