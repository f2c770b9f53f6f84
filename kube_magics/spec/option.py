"""One row of the option table: what an option is called, means and takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PREFIX = "KUBE_MAGICS_"


@dataclass(frozen=True)
class Option:
    """One option of `%%kubetrain`, `train` and `remote`, or of one verb."""

    name: str
    """As typed after `--`: `read-only-root`."""
    help: str
    """One sentence."""
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
    unit: str = ""
    """What a value counts or how it is written: `devices`, `cores: 2, 0.5, 500m`."""
    many: bool = False
    """May be given more than once; `read` gives a tuple, and all of them are put together."""
    same: Callable[[Any], object] | None = None
    """What two values of `many` are about (a variable, a path): of two about the same the nearer one counts."""
    short: str = ""
    """A second name that users know: `-r`."""
    also: str = ""
    """What users of other tools type first, blanks between: the error names this option instead."""
    complete: str = ""
    """What Tab offers for the value: words with blanks between, or one of the lists that `magics.completion` knows, as
    `<jobs>`."""
    settable: bool = True
    """Whether it may have a default of the user's or the site's; False: it means the job of one line."""

    @property
    def field(self) -> str:
        """The name as a Python keyword: `read_only_root`."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its variable of the environment: `KUBE_MAGICS_READ_ONLY_ROOT`."""
        return PREFIX + self.field.upper()

    @property
    def flag(self) -> bool:
        """Whether it takes no text."""
        return self.read is None

    @property
    def type(self) -> str:
        """For people: `flag`, `text`, `list` …"""
        return "flag" if self.flag else "list" if self.many else "number" if isinstance(self.default, int) else "text"
