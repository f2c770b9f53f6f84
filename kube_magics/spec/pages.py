"""The option table as people read it: `%%kubetrain?`, and docs/options.md."""

from __future__ import annotations

import textwrap

from kube_magics.spec.option import Option
from kube_magics.spec.options import GROUPS

_AT = 24
_WIDTH = 84


def help_text() -> str:
    """The options as `%%kubetrain?` shows them."""
    return "\n\n".join(
        "\n".join([f"{title}:", *(_entry(option) for option in group)]) for title, group in GROUPS.items()
    )


def _entry(option: Option) -> str:
    head = f"  --{option.name} {option.metavar}".rstrip()
    body = textwrap.wrap(option.help + (f" Example: {option.example}" if not option.flag else ""), _WIDTH)
    blank = " " * _AT
    first = f"{head:<{_AT}}{body[0]}" if len(head) < _AT else f"{head}\n{blank}{body[0]}"
    return "\n".join([first, *(f"{blank}{line}" for line in body[1:])])
