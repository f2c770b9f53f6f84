"""The option table as people read it: `%%kubetrain?`, and docs/options.md."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence

from kube_magics.spec.limits import LIMITS
from kube_magics.spec.option import Option
from kube_magics.spec.options import GROUPS

_AT = 24
_WIDTH = 84


def help_text() -> str:
    """The options as `%%kubetrain?` shows them."""
    return "\n\n".join(
        "\n".join([f"{title}:", *(entry(option) for option in group)]) for title, group in GROUPS.items()
    )


def keywords_text(without: Collection[str]) -> str:
    """The options as `help(kube_magics.train)` shows them."""
    rows = [option for group in GROUPS.values() for option in group if option.field not in without]
    return "\n".join(_lines(f"  {option.field}", option.help) for option in rows)


def entry(option: Option) -> str:
    """One option, as help shows it."""
    short = f"{option.short}, " if option.short else ""
    head = f"  {short}--{option.name} {option.metavar}".rstrip()
    return _lines(head, option.help + (f" Example: {option.example}" if not option.flag else ""))


def _lines(head: str, text: str) -> str:
    body = textwrap.wrap(text, _WIDTH)
    blank = " " * _AT
    first = f"{head:<{_AT}}{body[0]}" if len(head) < _AT else f"{head}\n{blank}{body[0]}"
    return "\n".join([first, *(f"{blank}{line}" for line in body[1:])])


_INTRODUCTION = """\
# Options

<!-- Made from kube_magics/spec/options.py by `make fix`; a test holds it. -->

Of `%%kubetrain`, `%kube run`, and of `kube_magics.train(…)` and `@kube_magics.remote(…)`, where they are keywords
(`gpus=2, memory="16Gi", dry_run=True`). A flag is taken back by `=false`.

Where an option is not given, its value comes from the first of these places that has one:

1. `%kube config NAME=VALUE`, for this notebook (`NAME=` takes it back; `%kube config` shows what is set, and where)
2. the environment: `KUBE_MAGICS_NAME`, in capitals, with `_` for `-`: `KUBE_MAGICS_GPU_RESOURCE=amd.com/gpu`
3. IPython's configuration: `c.KubeMagics.name`, with `_` for `-`: `c.KubeMagics.gpu_resource = "amd.com/gpu"` in
   `ipython_config.py` of a profile, or in `/etc/ipython/` for everyone

What may be given more than once adds up: a variable of the site stays in the job beside one of the line. Of two values
for the same variable, path or key the nearer place counts. There, blanks separate several: `KUBE_MAGICS_ENV="A=1 B=2"`.
"""
_RETRIES = """\
## What `--retries` tries again

Every end but success: an exception of the cell, an exit code, a signal, want of memory, a node that is lost or drained.
A cluster cannot tell a fault that passes (a connection, a device) from one that comes again.

Not tried again are: a job that was stopped or deleted; an attempt that reached its `--timeout`; what every attempt
would come to (a package that the image lacks, code of another Python, a program that cannot be started); and a program
that ends with exit code 70 or 124: `sys.exit(70)` says that another attempt is of no use. An image that runs as it is
(`%kube run IMAGE`) is tried again after all exit codes but 0, also those of its `--timeout`.

Each attempt is a pod of its own, never two at a time, and begins as the first one did: what it should go on from
belongs on a `--volume`. The cluster waits about ten seconds before the second attempt, and each time twice as long.
`--timeout` counts in each attempt by itself. The log has all attempts below each other, under headings, `--log-to` a
file for each (`NAME.log`, `NAME.2.log`); values, files and the exception are the last one's. On this machine nothing is
tried again.
"""
_LIMITS = """\
## Limits of a site

Set in the environment or in IPython's configuration, for jobs on a cluster; a refusal names the rule and whom to ask.
What `%kube create` makes from a file is held to the same limits as a line or a call. They keep people from mistakes:
what must hold against intent is a matter of quotas and admission in the cluster.
"""


def page() -> str:
    """docs/options.md."""
    parts = [_INTRODUCTION]
    for title, group in GROUPS.items():
        rows = [
            (
                code(f"--{option.name}", option.short),
                code(option.metavar),
                option.type,
                option.unit,
                _default(option),
                option.help,
                code(option.example),
                "" if option.settable else "line only",
            )
            for option in group
        ]
        head = ("option", "value", "type", "unit", "default", "meaning", "example", "")
        parts.append(f"## {title}\n\n" + table(head, rows))
    parts.append(_RETRIES)
    limits = [
        (
            code(each.variable),
            code(f"c.KubeMagics.{each.field}"),
            each.unit,
            each.help,
            code(each.example.split(" ", 1)[1]),
        )
        for each in LIMITS
    ]
    parts.append(
        _LIMITS + "\n" + table(("environment", "IPython's configuration", "unit", "meaning", "example"), limits)
    )
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def code(*words: str) -> str:
    """Each word that is not empty, as Markdown has code."""
    return ", ".join(f"`{word}`" for word in words if word)


def _default(option: Option) -> str:
    return (
        "" if option.default is None or option.default is False or option.default == () else code(str(option.default))
    )


if __name__ == "__main__":
    sys.stdout.write(page())
