"""From the words of a line, or the keywords of a call, to checked values; and what is said of those that are wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kube_magics.errors import OptionError
from kube_magics.spec import volumes
from kube_magics.spec.option import Option
from kube_magics.spec.options import BY_FIELD, OPTIONS

LONGEST_SHOWN = 80
"""Of a wrong value, in its error."""
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


def parse(tokens: Sequence[str], prog: str = "%%kubetrain") -> dict[str, Any]:
    """The options of a line that is split into tokens already: field → value, of those that it names."""
    found, stray = words(tokens, OPTIONS, prog)
    if stray and "returns" in found and stray[0].strip(",").isidentifier():
        # `--returns model, score`: what people type first.
        names = ",".join(word.strip(",") for word in (*found["returns"], *stray) if word.strip(",").isidentifier())
        raise OptionError(f"{prog}: the names of --returns are separated by commas alone.", hint=f"--returns {names}")
    if stray:
        raise _behind_a_blank(tokens, stray[0], prog) or unknown_option(stray[0], OPTIONS, prog)
    return checked(found, typed="--{}")


def _behind_a_blank(tokens: Sequence[str], stray: str, prog: str) -> OptionError | None:
    """The error for `--detach false`, where `--detach=false` is meant; None: it is no such word."""
    before = tokens[max(0, list(tokens).index(stray) - 1)]
    option = next((each for each in OPTIONS if before in (f"--{each.name}", each.short)), None)
    if option is None or not (option.bare is not None or (option.flag and stray.lower() in (*_YES, *_NO))):
        return None
    value(option, f"--{option.name}", stray)
    return OptionError(f"{prog}: what {before} is given stands behind =.", hint=f"--{option.name}={stray}")


def split_known(
    tokens: Sequence[str], fields: Sequence[str], prog: str, more: Sequence[Option] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The options of `fields`, and `more`, among `tokens`, and the words that are none."""
    found, rest = words(tokens, [*(BY_FIELD[field] for field in fields), *more], prog)
    values = {
        option.field: value(option, f"--{option.name}", found.pop(option.field))
        for option in more
        if option.field in found
    }
    return checked(found, typed="--{}") | values, rest


def words(tokens: Sequence[str], known: Sequence[Option], prog: str) -> tuple[dict[str, Any], list[str]]:
    """What is given for each of the `known` options, unread, and the words that are no options."""
    by_name = {typed: option for option in known for typed in (f"--{option.name}", option.short) if typed}
    given: dict[str, Any] = {}
    stray: list[str] = []
    rest = list(tokens)
    while rest:
        word = rest.pop(0)
        if word == "-" or not word.startswith("-"):
            stray.append(word)
            continue
        typed, equals, text = word.partition("=")
        option = by_name.get(typed.replace("_", "-"))  # torchrun takes both, too
        if option is None:
            raise unknown_option(word, known, prog)
        raw: Any = text if equals else _behind(option, typed, rest)
        if option.many:
            given.setdefault(option.field, []).append(raw)
        else:
            given[option.field] = raw
    return given, stray


def _behind(option: Option, typed: str, rest: list[str]) -> Any:
    """The value of an option that was typed without `=`."""
    if option.flag:
        return True
    if option.bare is not None:
        return rest.pop(0) if rest and takes(option, typed, rest[0]) else option.bare
    if not rest or re.match(r"--?[A-Za-z]", rest[0]):
        raise OptionError(f"--{option.name} needs a value.", hint=option.example)
    return rest.pop(0)


def takes(option: Option, typed: str, word: str) -> bool:
    """Whether `word` behind an option is its value."""
    if option.read is None or option.bare is None:
        return not option.flag
    try:
        option.read(typed, word)
    except OptionError:
        return False
    return True


def checked(given: Mapping[str, Any], typed: str = "{}=") -> dict[str, Any]:
    """Values by field, each read and checked; None stands for what is not given. `typed` shows how the caller wrote an
    option's name."""
    values: dict[str, Any] = {}
    for field, raw in given.items():
        option = BY_FIELD.get(field)
        if option is None:
            raise unknown_option(field, OPTIONS, "train()")
        if raw is not None:
            values[field] = value(option, typed.format(option.name if typed.startswith("--") else option.field), raw)
    volumes.distinct("--volume" if typed.startswith("--") else "volume", values.get("volume") or ())
    return values


def value(option: Option, name: str, raw: Any) -> Any:
    """`raw` (text, or what Python has for it) as the option's value; `name` is the option as it was typed."""
    try:
        return _read(option, name, raw)
    except OptionError as error:
        if isinstance(raw, str) and len(raw) > LONGEST_SHOWN:
            error.message = error.message.replace(raw, f"{raw[:LONGEST_SHOWN]}…")
        if name.endswith("="):  # `gpus=two`, not `gpus= two`
            error.message = error.message.replace(f"{name} needs ", f"{name[:-1]} needs ").replace(f"{name} ", name)
            is_python = name[:-1] == option.field or name.startswith("c.")
            error.hint = _typed(name, error.hint, is_python=is_python) if error.hint else None
        error.args = (error.message,)
        raise


def _typed(name: str, hint: str, *, is_python: bool) -> str:
    """What an option's error tells to type, as it is typed: `KUBE_MAGICS_TIMEOUT=2h`; in Python `timeout="2h"`."""

    def typed(found: re.Match[str]) -> str:
        text = found[1]
        if is_python and text in ("true", "false"):
            text = text.title()
        elif is_python and not text.isdecimal() and text[0] not in "\"'":
            text = f'"{text}"'
        return f"{name}{text}"

    return re.sub(rf"""(?<!\w){re.escape(name)} ?("[^"]*"|'[^']*'|[^\s"'()]+)""", typed, hint)


def _read(option: Option, name: str, raw: Any) -> Any:
    if option.read is None:
        return raw if isinstance(raw, bool) else _yes(name, str(raw))
    if raw in ("", [""]) and option.bare is None:
        raise OptionError(f"{name} needs a value.", hint=option.example.replace(f"--{option.name}", name, 1))
    if option.many:
        items = raw.items() if isinstance(raw, Mapping) else raw if isinstance(raw, (list, tuple)) else [raw]
        texts = ["=".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in items]
        read = option.read
        # Twice the same, in two options, is meant once.
        return tuple(dict.fromkeys(found for text in texts for found in read(name, text)))
    if isinstance(raw, (list, tuple)):
        raw = (" " if option.field == "pip" else ",").join(map(str, raw))
    return option.read(name, str(raw))


def _yes(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word in (*_YES, *_NO):
        return word in _YES
    near = (difflib.get_close_matches(word, ("true", "false"), 1) or ["true"])[0]
    raise OptionError(f"{name} {text}: only true or false is meant.", hint=f"{name.rstrip('=')}={near}")


def nearest(word: str, known: Iterable[Option]) -> str | None:
    """The name of the option that was probably meant."""
    bare = word.split("=", 1)[0].strip("-").replace("_", "-").lower()
    options = list(known)
    elsewhere = {other: option.name for option in options for other in option.also.split()}
    near = difflib.get_close_matches(bare, [option.name for option in options], n=1, cutoff=0.6)
    near = [elsewhere[bare]] if bare in elsewhere else near
    near = near or [elsewhere[other] for other in difflib.get_close_matches(bare, elsewhere, 1, 0.8)]
    return near[0] if near else None


def unknown_option(word: str, known: Iterable[Option], prog: str) -> OptionError:
    """The error for a word that `prog` does not know, with the nearest one that it does."""
    near = nearest(word, known)
    what = (
        f"{prog} has no option {word}."
        if word.startswith("-") or prog.endswith("()")
        else f"{prog} takes options only, and {word!r} is none."
    )
    everything = "help(kube_magics.train)" if prog.endswith("()") else f"{prog} -h" if " " in prog else f"{prog}?"
    if near is None:
        return OptionError(what, hint=f"{everything} shows all options")
    meant = near.replace("-", "_") if prog.endswith("()") else f"--{near}"
    return OptionError(what, hint=f"{meant}   ({everything} shows all options)")


def unknown_word(word: str, known: Iterable[str], prog: str, what: str) -> OptionError:
    """The error for a word that is none of `known`; `what` says what it should have been: `verb`, `setting`."""
    names = list(known)
    near = difflib.get_close_matches(word.split("=", 1)[0], names, n=1, cutoff=0.6)
    return OptionError(
        f"{prog} has no {what} {word}; it has {', '.join(names)}.",
        hint=f"{prog} {near[0]}" if near else f"{prog.split(maxsplit=1)[0]}?",
    )
