"""The option table: from it come the line's parser, its help, and the keywords of the Python API.

An option is added here, once; `spec.job.JobSpec` has a field of its name.
"""

from __future__ import annotations

import argparse
import difflib
import keyword
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from kube_magics.errors import OptionError
from kube_magics.spec import environment, names, quantities, volumes


@dataclass(frozen=True)
class Option:
    """One option of `%%kubetrain`, `train` and `remote`."""

    name: str
    """As typed after `--`: `read-only-root`."""
    help: str
    """One sentence, with the unit."""
    read: Callable[[str, str], Any] | None
    """(option as typed, text) → value, raising OptionError; None for a flag, which takes no text."""
    metavar: str = ""
    """What stands for the value in the help: `N`, `SIZE`."""
    default: Any = None
    """The value where the option is not given; None: decided where it is used, as the help says."""
    bare: Any = None
    """The value of the option typed without text; None: text is needed."""
    example: str = ""
    """As a user would type it."""
    many: bool = False
    """May be given more than once; `read` gives a tuple, and all of them are put together."""
    short: str = ""
    """A second name that users know: `-r`."""

    @property
    def field(self) -> str:
        """The name as a Python keyword: `read_only_root`."""
        return self.name.replace("-", "_")


def _text(option: str, text: str) -> str:
    if not text.strip():
        raise OptionError(f"{option} needs a value.", hint=BY_FIELD[option.strip("-=").replace("-", "_")].example)
    return text


def _count(option: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise OptionError(f"{option} {text} is not a whole number.", hint=f"{option} 1") from None
    if not 0 <= number <= 100_000:
        raise OptionError(f"{option} {text}: no node has that many.", hint=f"{option} {1 if number < 0 else 8}")
    return number


def _lines(option: str, text: str) -> int:
    if not text.isdecimal():
        raise OptionError(f"{option} {text} is not a number of lines.", hint=f"{option} 100")
    return int(text)


def _names(option: str, text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in found:
        if not name.isidentifier() or keyword.iskeyword(name):
            raise OptionError(f"{option}: {name!r} is not a Python name.", hint=f"{option} model,score")
    doubled = sorted({name for name in found if found.count(name) > 1})
    if doubled:
        raise OptionError(f"{option} names {doubled[0]} twice.", hint=f"{option} {','.join(dict.fromkeys(found))}")
    if not found:
        raise OptionError(f"{option} needs at least one name.", hint=f"{option} model,score")
    return found


def _shm(option: str, text: str) -> str:
    return quantities.memory(option, text) if text else ""


def _backend(option: str, text: str) -> str:
    if text not in ("kubernetes", "local"):
        raise OptionError(
            f"{option} {text}: there is no such backend.", hint=f"{option} local   (or {option} kubernetes)"
        )
    return text


def _pip(option: str, text: str) -> str:
    words = _text(option, text).split()
    for word in words:
        if not re.match(r"[A-Za-z0-9]", word):
            raise OptionError(
                f"{option}: {word!r} is not a requirement.", hint=f'{option} "tqdm torch==2.6"   (or auto, none)'
            )
    if len(words) > 1 and {"auto", "none"} & set(words):
        rest = " ".join(word for word in words if word not in ("auto", "none")) or words[0]
        raise OptionError(f"{option}: auto and none stand alone.", hint=f'{option} "{rest}"')
    return " ".join(words)


def _paths(option: str, text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise OptionError(f"{option} needs a path.", hint=BY_FIELD[option.strip("-=").replace("-", "_")].example)
    return found


def _url(option: str, text: str) -> str:
    scheme, colon, rest = text.partition("://")
    if not text.startswith("/") and not (colon and rest and re.fullmatch(r"[a-z][a-z0-9+.:-]*", scheme)):
        raise OptionError(
            f"{option} {text!r} is neither a URL nor an absolute path.", hint=f"{option} s3://bucket/folder"
        )
    from kube_magics.spec.credentials import in_address  # whose patterns loading the extension need not wait for

    if in_address(text):
        raise OptionError(
            f"{option}: the URL holds credentials, which would be stored in the cluster for all to read.",
            hint=f"{option} {scheme}://bucket/folder --secret NAME:KEY=VARIABLE   (here: the notebook's environment)",
        )
    if scheme == "memory":
        raise OptionError(f"{option} {text}: no other process sees it.", hint=f"{option} s3://bucket/folder")
    return text


def _globs(option: str, text: str) -> tuple[str, ...]:
    found = _paths(option, text)
    for pattern in found:
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
            raise OptionError(
                f"{option} {pattern}: only files of the job's working folder come back.",
                hint=f"{option} 'checkpoints/*.pt'   (relative to it; elsewhere: --volume CLAIM:/path)",
            )
    return found


OPTIONS: tuple[Option, ...] = (
    Option("gpus", "GPUs of the job.", _count, "N", default=0, example="--gpus 2"),
    Option("cpus", "CPU cores to reserve (default: 500m, a half).", quantities.cpus, "CORES", example="--cpus 4"),
    Option("memory", "Memory, reserved and the limit (default: 1Gi reserved, no limit).", quantities.memory, "SIZE", example="--memory 16Gi"),
    Option("image", "Container image (default: KUBE_MAGICS_IMAGE, else python:X.Y-slim of the notebook's Python).", _text, "IMAGE", example="--image team/torch:2.6"),
    Option("name", "Name of the job (default: made from the notebook's name).", names.checked_name, "NAME", example="--name digits-svm"),
    Option("returns", "Names that come back into the notebook when the job has ended.", _names, "A,B", default=(), example="--returns model,score"),
    Option("namespace", "Kubernetes namespace (default: the context's).", names.checked_namespace, "NAME", example="--namespace team-a"),
    Option("context", "Context of the kubeconfig (default: its current one).", _text, "NAME", example="--context lab"),
    Option("backend", "Where to run: kubernetes, or local (processes on this machine).", _backend, "WHERE", example="--backend local"),
    Option("dry-run", "Print the exact manifests instead of submitting; fit for kubectl create -f -.", None, default=False, example="--dry-run"),
    Option("timeout", "Stop the job after this time on its node: 90s, 45m, 2h, 1d.", quantities.seconds, "TIME", example="--timeout 2h"),
    Option("python", "Interpreter to start in the image (default: python3; on this machine: the notebook's own).", _text, "PATH", example="--python /opt/conda/bin/python"),
    Option("shm", "In-memory /dev/shm, with a limit or none (on by itself with GPUs or torch).", _shm, "[SIZE]", bare="", example="--shm 8Gi"),
    Option("read-only-root", "Read-only root file system, for sites whose policy asks for it.", None, default=False, example="--read-only-root"),
    Option("cpu-ok", "On this machine: run without the GPUs that are asked for, if there are none.", None, default=False, example="--cpu-ok"),
    Option("capture", "Names that may travel although their values look like credentials.", _names, "A,B", default=(), many=True, example="--capture my_token"),
    Option("env", "A variable of the job's environment (repeatable).", environment.variables, "NAME=VALUE", default=(), many=True, example="--env NCCL_DEBUG=INFO"),
    Option("secret", "A Secret of the namespace as variables of the job's environment: all its keys, or one (repeatable).", environment.secrets, "NAME[:KEY=ENV]", default=(), many=True, example="--secret wandb:key=WANDB_API_KEY"),
    Option("pip", "What to install before the cell runs: auto (what it imports, the notebook has and the image lacks), none, or requirements.", _pip, "WHAT", default="auto", example='--pip "torch==2.6 tqdm"'),
    Option("requirements", "Install what this requirements file lists.", _text, "FILE", short="-r", example="--requirements requirements.txt"),
    Option("cache", "Keep installed packages between jobs on this PersistentVolumeClaim.", names.claim, "CLAIM", example="--cache packages"),
    Option("files", "Files, folders and globs that travel into the job's working folder (repeatable; .kubeignore is heeded).", _paths, "PATHS", default=(), many=True, example="--files data/*.csv,config.yaml"),
    Option("volume", "Mount a PersistentVolumeClaim (repeatable).", volumes.volumes, "CLAIM:/path[:ro]", default=(), many=True, example="--volume datasets:/data:ro"),
    Option("artifacts", "Folder (any fsspec URL) for captures and results that are too large to travel with the job.", _url, "URL", example="--artifacts s3://bucket/folder"),
    Option("returns-files", "Files of the job's working folder that come back (repeatable).", _globs, "GLOB", default=(), many=True, example="--returns-files checkpoints/*.pt"),
    Option("log-to", "Let the job keep its whole log in this file too (a folder: NAME.log in it), on a volume of --volume.", volumes.log_path, "PATH", example="--log-to /data/logs/"),
    Option("detach", "Do not wait: the cell's value is the Job, which is followed in the background.", None, default=False, example="--detach"),
    Option("new", "Submit again, although a job of this very cell lives or has results that were not fetched.", None, default=False, example="--new"),
)  # fmt: skip

ATTACH: tuple[Option, ...] = (
    Option("tail", "Show the last N lines of what is there already, then what comes (default: all).", _lines, "N", example="--tail 100"),
    Option("trust", "Load what a job sends back that another user, or another machine of yours, submitted.", None, default=False, example="--trust"),
)  # fmt: skip
"""What only `%kube attach` takes."""

BY_FIELD: Mapping[str, Option] = {option.field: option for option in OPTIONS}


class _Parser(argparse.ArgumentParser):
    """argparse that raises our errors instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        bare = re.fullmatch(r"argument --([a-z-]+)\S*: expected one argument", message)
        if bare:
            option = BY_FIELD[bare[1].replace("-", "_")]
            raise OptionError(f"--{option.name} needs a value.", hint=option.example)
        raise OptionError(f"{self.prog}: {message}.", hint=f"{self.prog}? shows all options")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise AssertionError("add_help is off and error() raises")  # argparse itself never gets here


def parse(tokens: Sequence[str], prog: str = "%%kubetrain") -> dict[str, Any]:
    """The options of a line that is split into tokens already: field name → value, defaults filled in."""
    parser = _Parser(prog=prog, add_help=False, allow_abbrev=False)
    for option in OPTIONS:
        flags = [f"--{option.name}", *([option.short] if option.short else [])]
        if option.read is None:
            parser.add_argument(*flags, dest=option.field, action="store_true", default=option.default)
        elif option.many:
            parser.add_argument(*flags, dest=option.field, action="append", default=None)
        else:
            few: dict[str, Any] = {} if option.bare is None else {"nargs": "?", "const": option.bare}
            parser.add_argument(*flags, dest=option.field, default=None, **few)
    found, unknown = parser.parse_known_args(list(tokens))
    if unknown and found.returns and unknown[0].strip(",").isidentifier():
        # `--returns model, score`: what people type first.
        names = ",".join(word.strip(",") for word in (found.returns, *unknown) if word.strip(",").isidentifier())
        raise OptionError(f"{prog}: the names of --returns are separated by commas alone.", hint=f"--returns {names}")
    if unknown:
        raise unknown_option(unknown[0], [f"--{option.name}" for option in OPTIONS], prog)
    return checked(vars(found), typed="--{}")


def split_known(
    tokens: Sequence[str], fields: Sequence[str], prog: str, more: Sequence[Option] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The options of `fields`, and `more`, among `tokens`, and the words that are none."""
    known = {field: BY_FIELD[field] for field in fields} | {option.field: option for option in more}
    given: dict[str, Any] = {}
    words: list[str] = []
    rest = list(tokens)
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        option = known.get(word.removeprefix("--").replace("-", "_"))
        if not word.startswith("-"):
            words.append(word + equals + value)
        elif option is None:
            raise unknown_option(word, [f"--{each.name}" for each in known.values()], prog)
        elif option.read is None and equals:
            raise OptionError(f"{prog}: {word} takes no value, and {value!r} was given.", hint=word)
        elif option.read is None:
            given[option.field] = True
        elif not equals and not rest:
            raise OptionError(f"{prog}: {word} needs a value.", hint=f"{word} {option.metavar}")
        else:
            given[option.field] = option.read(word, value if equals else rest.pop(0))
    return given, words


def unknown_option(word: str, known: Iterable[str], prog: str) -> OptionError:
    """The error for a word that `prog` does not know, with the nearest one that it does."""
    # Without the dashes, which would make any two options look alike.
    bare = {name.strip("-="): name for name in known}
    near = difflib.get_close_matches(word.split("=", 1)[0].strip("-"), list(bare), n=1, cutoff=0.6)
    what = (
        f"{prog} has no option {word}." if word.startswith("-") else f"{prog} takes options only, and {word!r} is none."
    )
    everything = "help(kube_magics.train)" if prog.endswith("()") else f"{prog.split(maxsplit=1)[0]}?"
    return OptionError(
        what, hint=f"{bare[near[0]]}   ({everything} shows all options)" if near else f"{everything} shows all options"
    )


def unknown_word(word: str, known: Iterable[str], prog: str, what: str) -> OptionError:
    """The error for a word that is none of `known`; `what` says what it should have been: `verb`, `setting`."""
    names = list(known)
    near = difflib.get_close_matches(word.split("=", 1)[0], names, n=1, cutoff=0.6)
    return OptionError(
        f"{prog} has no {what} {word}; it has {', '.join(names)}.",
        hint=f"{prog} {near[0]}" if near else f"{prog.split(maxsplit=1)[0]}?",
    )


def checked(given: Mapping[str, Any], typed: str = "{}=") -> dict[str, Any]:
    """Values by field, each read and checked; `typed` shows how the caller wrote an option's name."""
    values: dict[str, Any] = {}
    for field, raw in given.items():
        option = BY_FIELD.get(field)
        if option is None:
            raise unknown_option(field, BY_FIELD, "train()")
        name = typed.format(option.name if typed.startswith("--") else option.field)
        values[field] = option.default if raw is None else _value(option, name, raw)
    volumes.distinct("--volume" if typed.startswith("--") else "volume", values.get("volume") or ())
    return {option.field: values.get(option.field, option.default) for option in OPTIONS}


def _value(option: Option, name: str, raw: Any) -> Any:
    if option.read is None:
        return bool(raw)
    if option.many:
        items = raw.items() if isinstance(raw, Mapping) else raw if isinstance(raw, (list, tuple)) else [raw]
        texts = ["=".join(map(str, item)) if isinstance(item, tuple) else str(item) for item in items]
        read = option.read
        return tuple(value for text in texts for value in read(name, text))
    if isinstance(raw, (list, tuple)):
        raw = (" " if option.field == "pip" else ",").join(map(str, raw))
    return option.read(name, str(raw))


def help_text() -> str:
    """The options as `%%kubetrain?` shows them."""
    lines = []
    for option in OPTIONS:
        head = f"  --{option.name} {option.metavar}".rstrip()
        body = option.help + (f" Example: {option.example}" if option.read is not None else "")
        wrapped = textwrap.wrap(body, 84)
        lines.append(f"{head:<24}{wrapped[0]}" if len(head) < 24 else f"{head}\n{'':<24}{wrapped[0]}")
        lines += [f"{'':<24}{line}" for line in wrapped[1:]]
    return "\n".join(lines)
