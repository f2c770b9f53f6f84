"""A notebook's own syntax in a job's cell: what of it installs packages, what is left out, and what no job can do.

What works is in `runner/syntax.py`. Cells come with `!`, `%` and `?` turned into calls by IPython already.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from kube_magics.errors import CellError
from kube_magics.runner.syntax import Magic

CELL_MAGIC = re.compile(r"%%([A-Za-z]\w*)\s*(.*)")
_PIP = re.compile(
    r"(?:(?:uv\s+)?pip[0-9.]*|(?:python[0-9.]*|\{sys\.executable\}|\"\{sys\.executable\}\")\s+-m\s+pip)\s+install\s+(.*)",
    re.DOTALL,
)
_SILENCE = re.compile(r"\s(?:[12&]?>+\s*/dev/null|[12]?>&[12])(?=\s|$)|\|\s*(?:tail|head|grep)\b[^|;&]*$")
_NO_MATTER = re.compile(
    r"-[qvU]+|--(?:quiet|verbose|upgrade|user|no-cache-dir|disable-pip-version-check|no-input|prefer-binary|pre-built"
    r"|no-warn-script-location|break-system-packages|force-reinstall|root-user-action=\w+|progress-bar=\w+|system)"
)
_INSTEAD = {
    **dict.fromkeys(("bash", "sh", "script"), "write each command as a line of its own: !command"),
    **dict.fromkeys(
        ("writefile", "file"), "write the file in a cell of its own before this one, and let it travel: --files PATH"
    ),
    "capture": "leave it out: all output is in the job's log",
    "run": "%kube run FILE runs a script as a job",
    **dict.fromkeys(("conda", "mamba", "micromamba"), "use an image that has the package, or --pip"),
    **dict.fromkeys(("kubetrain", "kube"), "a job starts no jobs: use it in the notebook"),
}
_PROGRAMS = frozenset("ls ll cat cp mv rm mkdir rmdir less more man pushd popd".split())


def may_hold(text: str) -> bool:
    """Whether a text of Python may have anything that the `Expander` replaces; else there is no need to look."""
    return "get_ipython" in text or "IPython" in text


def refuse(found: Magic, where: str | None = None) -> CellError:
    """The error for what no job can do; `where` says in which definition of the notebook it stands."""
    place = where or f"Line {found.line}"
    if found.name in ("time", "timeit"):
        return CellError(f"{place}: the code behind %{found.name} is not Python: {found.text}", hint="correct it")
    if found.name.startswith("%"):
        return CellError(f"{place}: %{found.name} works as the first line of a cell only.", hint=_instead(found))
    sign = "%%" if found.kind == "run_cell_magic" else "%"
    return CellError(f"{place}: {sign}{found.name} does not work in a job.", hint=_instead(found))


def _instead(found: Magic) -> str:
    name = found.name.strip("%")
    if name in _PROGRAMS:
        return f"!{name} {found.text}".strip()
    return _INSTEAD.get(name, "move it to a cell of its own before this one")


def sentences(ignored: Sequence[Magic], pip: Sequence[str]) -> tuple[str, ...]:
    """What the user is told of lines that do not run where they stand."""
    left_out = ", ".join(f"{_written(each)} (line {each.line})" for each in ignored)
    return (
        *([f"%pip install {' '.join(pip)}: installed before the cell runs (--pip)"] if pip else []),
        *([f"left out, as a job has no notebook around it: {left_out}"] if left_out else []),
    )


def _written(found: Magic) -> str:
    questions = {"pinfo": "?", "pinfo2": "??", "psearch": "?"}
    return found.text + questions[found.name] if found.name in questions else f"%{found.name} {found.text}".strip()


def requirements(found: Magic) -> tuple[str, ...] | None:
    """What a line installs, for --pip; None if it installs nothing, or does more than that.

    Raises CellError for an option that --pip cannot be given.
    """
    if found.kind == "run_cell_magic":
        return None
    names = {"pip": "pip ", "uv": "uv "}
    match = _PIP.fullmatch((names.get(found.name, "") + found.text if found.name in ("", *names) else "").strip())
    if match is None:
        return None
    text = _SILENCE.sub(" ", f" {match[1]}")
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return None
    if re.search(r"&&|\|\||;\s|\|\s", text):
        return None
    return _checked([word for word in words if not _NO_MATTER.fullmatch(word)], found)


def _checked(words: Sequence[str], found: Magic) -> tuple[str, ...]:
    for number, word in enumerate(words):
        if word in ("-r", "--requirement"):
            file = words[number + 1] if number + 1 < len(words) else "FILE"
            raise _not_for_pip(word, found, f"%%kubetrain --requirements {file}")
        if word in (".", "..") or word.startswith(("-", "./", "../", "/")):
            raise _not_for_pip(word, found, "put it into the image, or name the packages alone")
        if re.search(r"[{}$]", word):
            raise _not_for_pip(word, found, "write the name and version themselves, or %%kubetrain --pip " + word)
    return tuple("".join(word.split()) for word in words)


def _not_for_pip(word: str, found: Magic, hint: str) -> CellError:
    what = (
        f"Line {found.line}: a job's packages are installed before its cell runs, and {word} cannot be asked for here."
    )
    return CellError(what, hint=hint)
