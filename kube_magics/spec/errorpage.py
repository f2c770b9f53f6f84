"""The tree of errors as people read it: docs/errors.md, from what `kube_magics/errors.py` says of each."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

from kube_magics import errors

_INTRODUCTION = """\
# Errors

<!-- Made from kube_magics/errors.py by `make fix`; a test holds it. -->

The exception that your own code raises in a job is raised in the notebook as what it is, with the lines of your cell.
All others are below: each says in one sentence what happened, behind `said:` what the cluster or the job said, word
by word, and behind `next:` what to type. `--debug` shows the whole traceback, and every request to the cluster.

They are in `kube_magics.errors`; each has these three as `message`, `said` and `hint`. To handle some of them, catch
the class that stands for them all:

```python
import kube_magics
from kube_magics import errors

def fit():
    raise SystemExit(3)

try:
    model = kube_magics.train(fit).result()
except errors.JobOutOfMemory:
    print("again, with more memory")
except errors.JobFailed as error:
    print(error.exit_code, "|", error.message)
```

```text
3 | Job fit-… called sys.exit(3): it ended with exit code 3.
```

<!-- not run: the tree of the classes -->
```text
"""
_PART = re.compile(r"^(Why|Fix): ", re.MULTILINE)


def page() -> str:
    """docs/errors.md."""
    every = (*_below(errors.KubeMagicsError), errors.Detached)
    return f"{_INTRODUCTION}{_tree()}```\n\n" + "\n".join(map(_entry, every))


def parts(error: type[errors.Told]) -> tuple[str, str | None, str | None]:
    """What, why and fix of an error, each as one line; None: it only stands for those below it."""
    text = inspect.cleandoc(error.__doc__ or "")
    what, *rest = (" ".join(part.split()) for part in _PART.split(text))
    said = dict(zip(rest[::2], rest[1::2], strict=True))
    return what, said.get("Why"), said.get("Fix")


def _below(error: type[errors.KubeMagicsError]) -> Iterator[type[errors.KubeMagicsError]]:
    """Depth first; subclasses that a job's own exceptions have got here are none of the tree."""
    for found in error.__subclasses__():
        if found.__module__ == errors.__name__:
            yield found
            yield from _below(found)


def _tree() -> str:
    text = inspect.cleandoc(errors.__doc__ or "")
    drawn = re.search(r"^ *KubeMagicsError\n.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert drawn is not None
    return inspect.cleandoc(drawn[0]) + "\n"


def _entry(error: type[errors.Told]) -> str:
    what, why, fix = parts(error)
    parents = [base for base in error.__bases__ if base not in (errors.KubeMagicsError, errors.Told)]
    kinds = " and ".join(_link(base) for base in parents)
    lines = [f"## {error.__name__}\n", what + (f" A kind of {kinds}." if kinds else "")]
    lines += [f"\n- **Why:** {_sentence(why)}"] if why else []
    lines += [f"- **Fix:** {_sentence(fix)}"] if fix else []
    return "\n".join(lines) + "\n"


def _link(base: type[BaseException]) -> str:
    ours = base.__module__ == errors.__name__
    return f"[{base.__name__}](#{base.__name__.lower()})" if ours else f"`{base.__name__}`"


def _sentence(text: str) -> str:
    return text if text.startswith("`") else text[:1].upper() + text[1:]


if __name__ == "__main__":
    sys.stdout.write(page())
