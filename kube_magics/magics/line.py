"""A magic's line: split as a shell would, `$name` and `{expr}` replaced from the notebook.

IPython's own expansion is off: one undefined name there silently turns it off for the whole line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from kube_magics.errors import OptionError

_FIELD = re.compile(r"\$\$|\{\{|\}\}|\$(?P<name>[A-Za-z_]\w*)|\{(?P<expr>[^{}]+)\}")
_HELD = re.compile("\0([0-9]+)\0")


def tokens(line: str, namespace: Mapping[str, Any], magic: str) -> list[str]:
    """The words of `line`, expanded. Raises OptionError that names what is undefined."""
    line = _without_comment(line)
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        # `{hours * 3600}` and `{options["gpus"]}` are one word, whatever blanks and quotes stand in them.
        if match["expr"] is None:
            return match[0]
        held.append(match[0])
        return f"\0{len(held) - 1}\0"

    try:
        words = [_HELD.sub(lambda match: held[int(match[1])], word) for word in shlex.split(_FIELD.sub(hold, line))]
    except ValueError as error:
        what = f"{magic}: {error} in the line: {line.strip()}"
        raise OptionError(what, hint="close the quote, or escape it with \\") from None
    return [_expanded(word, namespace, magic) for word in words]


def _without_comment(line: str) -> str:
    """The line up to a `# comment` as Python has it; a `#` inside quotes, or inside a word, is none."""
    for match in re.finditer(r"(?:^|\s)#", line):
        try:
            shlex.split(line[: match.start()])
        except ValueError:
            continue  # a quote is open there
        return line[: match.start()]
    return line


def _expanded(word: str, namespace: Mapping[str, Any], magic: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match["name"] is None and match["expr"] is None:
            return match[0][0]
        expression = match["name"] or match["expr"]
        try:
            found = eval(expression, dict(namespace))  # noqa: S307 - the user's own expression in the user's own notebook
        except Exception as error:
            raise OptionError(
                f"{magic}: {match[0]} in {word!r} cannot be evaluated: {type(error).__name__}: {error}.",
                hint=f"define {expression} first, or write $$ and {{{{ for the characters themselves",
            ) from error
        return ",".join(map(str, found)) if isinstance(found, (list, tuple)) else str(found)

    return _FIELD.sub(value, word)
