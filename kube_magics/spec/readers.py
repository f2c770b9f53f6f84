"""How the text of an option's value is read: (option as typed, text) → value, or an OptionError with what to type."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable

from kube_magics.errors import OptionError
from kube_magics.spec import names, quantities

Reader = Callable[[str, str], str]
LONGEST_GRACE_S = 86400
MOST_RETRIES = 100


def text(example: str) -> Reader:
    """Any text but none."""

    def read(option: str, given: str) -> str:
        if not given.strip():
            raise OptionError(f"{option} needs a value.", hint=f"{option} {example}")
        return given

    return read


def count(option: str, given: str) -> int:
    """A number of devices."""
    try:
        number = int(given)
    except ValueError:
        raise OptionError(f"{option} {given} is not a whole number.", hint=f"{option} 1") from None
    if not 0 <= number <= 100_000:
        raise OptionError(f"{option} {given}: no node has that many.", hint=f"{option} {1 if number < 0 else 8}")
    return number


def retries(option: str, given: str) -> int:
    """How often at most a job is tried again."""
    if not re.fullmatch(r"[0-9]+", given) or int(given) > MOST_RETRIES:
        raise OptionError(f"{option} {given}: a number from 0 to {MOST_RETRIES} is meant.", hint=f"{option} 3")
    return int(given)


def lines(option: str, given: str) -> int:
    """A number of lines."""
    if not given.isdecimal():
        raise OptionError(f"{option} {given} is not a number of lines.", hint=f"{option} 100")
    return int(given)


def grace(option: str, given: str) -> int:
    """From TERM to KILL, in seconds."""
    found = quantities.seconds(option, given)
    if found > LONGEST_GRACE_S:
        raise OptionError(f"{option} {given}: a job that is stopped must end within a day.", hint=f"{option} 5m")
    return found


def returns(option: str, given: str) -> tuple[str, ...]:
    """Names of Python, commas between them."""
    found = tuple(part.strip() for part in given.split(",") if part.strip())
    for name in found:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OptionError(f"{option}: {name!r} is not a Python name.", hint=f"{option} model,score")
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise OptionError(f"{option} names {doubled[0]} twice.", hint=f"{option} {','.join(dict.fromkeys(found))}")
    if not found:
        raise OptionError(f"{option} needs at least one name.", hint=f"{option} model,score")
    return found


def shm(option: str, given: str) -> str:
    """A size, or nothing: without a limit."""
    return quantities.memory(option, given) if given else ""


def backend(option: str, given: str) -> str:
    """`kubernetes` or `local`."""
    if given not in ("kubernetes", "local"):
        raise OptionError(
            f"{option} {given}: there is no such backend.", hint=f"{option} local   (or {option} kubernetes)"
        )
    return given


def pip(option: str, given: str) -> str:
    """`auto`, `none`, or requirements with blanks between them."""
    words = text('"tqdm torch==2.6"')(option, given).split()
    for word in words:
        if not re.match(r"[A-Za-z0-9]", word):
            raise OptionError(
                f"{option}: {word!r} is not a requirement.", hint=f'{option} "tqdm torch==2.6"   (or auto, none)'
            )
    if len(words) > 1 and {"auto", "none"} & set(words):
        rest = " ".join(word for word in words if word not in ("auto", "none")) or words[0]
        raise OptionError(f"{option}: auto and none stand alone.", hint=f'{option} "{rest}"')
    return " ".join(words)


def paths(option: str, given: str) -> tuple[str, ...]:
    """Paths and globs, commas between them."""
    found = tuple(part.strip() for part in given.split(",") if part.strip())
    if not found:
        raise OptionError(f"{option} needs a path.", hint=f"{option} data/*.csv,config.yaml")
    return found


def globs(option: str, given: str) -> tuple[str, ...]:
    """Globs within the job's working folder, commas between them."""
    found = paths(option, given)
    for pattern in found:
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
            raise OptionError(
                f"{option} {pattern}: only files of the job's working folder come back.",
                hint=f"{option} 'checkpoints/*.pt'   (relative to it; elsewhere: --volume CLAIM:/path)",
            )
    return found


def url(option: str, given: str) -> str:
    """An fsspec URL without credentials, or an absolute path."""
    scheme, colon, rest = given.partition("://")
    if not given.startswith("/") and not (colon and rest and re.fullmatch(r"[a-z][a-z0-9+.:-]*", scheme)):
        raise OptionError(
            f"{option} {given!r} is neither a URL nor an absolute path.", hint=f"{option} s3://bucket/folder"
        )
    from kube_magics.spec.credentials import in_address  # whose patterns loading the extension need not wait for

    if in_address(given):
        raise OptionError(
            f"{option}: the URL holds credentials, which would be stored in the cluster for all to read.",
            hint=f"{option} {scheme}://bucket/folder --secret NAME:KEY=VARIABLE   (here: the notebook's environment)",
        )
    if scheme == "memory":
        raise OptionError(f"{option} {given}: no other process sees it.", hint=f"{option} s3://bucket/folder")
    return given


def folder(option: str, given: str) -> str:
    """An absolute path of a folder."""
    plain = "/" + given.strip("/")
    if not given.startswith("/") or ".." in given.split("/"):
        near = re.sub(r"^(\.\.?/)+|/\.\.(?=/|$)|^~/?", "", given).strip("/")
        raise OptionError(f"{option} {given!r} is not an absolute path.", hint=f"{option} /{near or 'data'}")
    return plain


def user(option: str, given: str) -> str:
    """A user id, or `image`: the image's own."""
    if given == "image" or (given.isdecimal() and given.isascii() and int(given) <= 2**31 - 1):
        return given
    what = f"{option} {given}: a user id, or image (the image's own user), is meant."
    raise OptionError(what, hint=f"{option} {0 if given == 'root' else 1000}")


def named(kind: str) -> Reader:
    """The name of an object of the cluster; `kind` is what it is: `Secret`."""

    def read(option: str, given: str) -> str:
        if names.is_object(given):
            return given
        raise OptionError(f"{option} {given!r} is no {kind}'s name.", hint=f"{option} {names.stem(given, 63)}")

    return read


def each(read: Reader) -> Callable[[str, str], tuple[str, ...]]:
    """Values with commas between them."""

    def reads(option: str, given: str) -> tuple[str, ...]:
        return tuple(read(option, part.strip()) for part in (given.split(",") if given else [""]))

    return reads


def resource(option: str, given: str) -> str:
    """The name under which a device plugin offers its devices."""
    if re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?", given):
        return given
    vendor = next((word for word in ("amd", "intel", "nvidia") if word in given.lower()), "nvidia")
    near = "gpu.intel.com/i915" if vendor == "intel" else f"{vendor}.com/gpu"
    raise OptionError(f"{option} {given!r} is no resource of a node.", hint=f"{option} {near}")
