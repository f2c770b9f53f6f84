"""Why packages could not be installed: from what uv or pip says to one sentence, its last lines, and what to type.

What is not recognised is quoted as it was said.
"""

from __future__ import annotations

import re
import sys

from .distributions import canonical, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .distributions import Installed

NOISE = re.compile(
    r"(Looking in |Collecting |Downloading |Using cached |Using Python|Using CPython|Requirement already |Resolved "
    r"|Prepared |  Downloading |WARNING: Retrying|Installing collected|note: |hint: |\[notice\]|Preparing metadata"
    r"|  Preparing metadata|Building wheel|\s*$)"
)
UNREACHABLE = re.compile(
    r"Connection refused|Name or service not known|Temporary failure in name resolution|ConnectTimeout|dns error"
    r"|Failed to establish a new connection|Read timed out|operation timed out|Network is unreachable"
    r"|NameResolutionError|not a trusted or secure host",
)
REFUSED = re.compile(r"\b(401|403)\b.*(?:Unauthorized|Forbidden|Client Error)|(?:HTTP|status).{0,20}\b(401|403)\b")
CONFLICT = re.compile(r"ResolutionImpossible|conflicting dependencies|depends? on|Cannot install")
NO_PYTHON = re.compile(
    r"Requires-Python|current Python version|requires a different python|Python ABI|no wheels with a"
)
NO_VERSION = re.compile(
    r"No matching distribution found for (\S+)|[Bb]ecause (\S+) was not found in the package registry"
    r"|there is no version of (\S+)|no versions? of (\S+)"
)
BUILD = re.compile(
    r"subprocess-exited-with-error|Failed to build|build backend|error: command '\S*(gcc|cc|g\+\+|clang)\S*' failed"
)
HASHES = re.compile(
    r"DO NOT MATCH THE HASHES|Hash mismatch|hash(?:es)? (?:are|is) (?:required|missing)|require-hashes", re.IGNORECASE
)


def explain(said: str, lines: list[str], have: Installed) -> tuple[str, list[str], str]:
    """A sentence, the lines to quote, and what to type next."""
    quoted = [line.rstrip() for line in said.splitlines() if not NOISE.match(line)]
    names = ", ".join(filter(None, map(required, lines))) or "the packages"
    here = "Python {}.{}".format(*sys.version_info)
    sentence, fix = f"{names} cannot be installed", "correct --pip, or --image with these packages in it"
    if "No space left on device" in said:
        sentence = f"there is no room left on the node's disk to install {names}"
        fix = "--image with these packages in it, or --cache CLAIM with more room"
    elif HASHES.search(said):
        sentence, fix = "a package is not the one whose hash the requirements name", "correct the requirements file"
    elif UNREACHABLE.search(said):
        sentence = f"no package index could be reached to install {names} from"
        fix = "--env PIP_INDEX_URL=… of an index that the cluster can reach, or --image with these packages in it"
    elif REFUSED.search(said):
        sentence = "the package index refuses the request"
        fix = "--secret NAME:KEY=PIP_INDEX_URL with an URL that holds the credentials"
    elif BUILD.search(said):
        sentence = f"a package has no wheel for {here} on this platform, and building it failed"
        fix = "another version (--pip NAME==…), or --image with a compiler, or with the package, in it"
    elif NO_PYTHON.search(said):
        sentence = f"a version that is asked for does not support the image's {here}"
        fix = "--pip with another version, or --image with the Python that it needs"
    else:
        return _by_index(said, quoted, have) or (sentence, quoted, fix)
    return sentence, quoted, fix


def _by_index(said: str, quoted: list[str], have: Installed) -> tuple[str, list[str], str] | None:
    """What the index does not have, or what does not go together."""
    absent = NO_VERSION.search(said)
    if absent and not re.search(r"depends? on|conflict", said):
        name = next(filter(None, absent.groups())).rstrip(",.")
        alone = canonical(required(name) or name)
        fix = f"--pip {alone}   (any version), or correct its name"
        return f"the package index has no {name}", quoted, fix if alone != name else "correct its name"
    if CONFLICT.search(said):
        held = [name for name, (version, _) in have.found.items() if f"{name}=={version}" in said]
        if held:
            fix = f"--pip with {', '.join(held)} too, to put another version before the image's, or another --image"
            return f"what is asked for does not go with the image's {', '.join(held)}", quoted, fix
        return "what is asked for does not go together", quoted, "ask for fewer or looser versions in --pip"
    return None
