"""Names and labels of what we make in a cluster. Guarantees:

- A job's name is a DNS-1123 label of at most 52 characters: it stands in pod names (`NAME-xxxxx`), in ConfigMap names
  (`NAME-3f2a9c01-0`) and as a label value, and each of these stays within 63.
- A name that the user gives is taken as it is or refused with the nearest valid one; it is never changed silently.
- A generated name is `STEM-xxxxx`, STEM from the notebook or function, five random characters from an alphabet
  without vowels and look-alikes: two jobs never collide by design, and no word is spelled by chance.
- A label value made from free text is valid (at most 63 of `[A-Za-z0-9_.-]`, alphanumeric at both ends); different
  texts give different values (a digest is appended whenever the text was changed).
"""

from __future__ import annotations

import hashlib
import re
import secrets

from kube_magics.errors import OptionError

PREFIX = "kube-magics.dev"
"""Prefix of every label and annotation of ours."""

LABEL_JOB = f"{PREFIX}/job"
LABEL_NOTEBOOK = f"{PREFIX}/notebook"
LABEL_KERNEL = f"{PREFIX}/kernel"
"""The process that has submitted it: one watch shows it all that it follows. Says nothing of who that was."""
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""https://kueue.sigs.k8s.io/docs/tasks/run/jobs/: on the Job; Kueue's own webhook suspends it, and Kueue resumes it."""
ANNOTATION_NOTEBOOK = f"{PREFIX}/notebook"
ANNOTATION_SUBMISSION = f"{PREFIX}/submission"
ANNOTATION_CELL = f"{PREFIX}/cell"
ANNOTATION_LABEL = f"{PREFIX}/cell-label"
ANNOTATION_BUNDLE = f"{PREFIX}/bundle"
ANNOTATION_RETURNS = f"{PREFIX}/returns"
ANNOTATION_ARTIFACTS = f"{PREFIX}/artifacts"
ANNOTATION_SEEDS = f"{PREFIX}/seeds"
ANNOTATION_FETCHED = f"{PREFIX}/fetched"
ANNOTATION_STOPPED = f"{PREFIX}/stopped"
"""When a user asked for its end: on the pod that was told, or on the Job that was suspended."""
ANNOTATION_VERSION = f"{PREFIX}/version"
CONTAINER = "main"
"""The name of the one container of a job's pod."""

LONGEST_NAME = 52
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DIGESTED = re.compile(r"(?:^|-)[0-9a-f]{10}$")
"""Looks like a value that was changed: must not pass for one."""
_ALPHABET = "bcdfghjkmnpqrstvwxz2456789"
_GENERATED = re.compile(rf"-[{_ALPHABET}]{{5}}$")


def checked_name(option: str, name: str) -> str:
    """`name` if it can be a job's name, else an OptionError with the nearest one that can."""
    if _NAME.fullmatch(name) and len(name) <= LONGEST_NAME:
        return name
    what = (
        f"has {len(name)} characters; at most {LONGEST_NAME} fit"
        if _NAME.fullmatch(name)
        else "may hold a-z, 0-9 and '-' only, with a letter or digit at both ends"
    )
    raise OptionError(f"{option} {name!r}: a job's name {what}.", hint=f"{option} {stem(name, LONGEST_NAME)}")


def is_object(name: str) -> bool:
    """Whether an object of the cluster can bear this name (a DNS-1123 subdomain)."""
    return _OBJECT.fullmatch(name) is not None and len(name) <= 253


def checked_object(name: str) -> str:
    """`name` if some Job can bear it, whoever made it. It becomes part of a URL: "" would mean all jobs."""
    if is_object(name):
        return name
    raise OptionError(f"{name!r} is no job's name.", hint="%kube jobs   (shows the names)")


def claim(option: str, text: str) -> str:
    """`text` as the name of a PersistentVolumeClaim."""
    if is_object(text):
        return text
    raise OptionError(f"{option} {text!r} is no claim's name.", hint=f"{option} {stem(text, 63)}")


def checked_namespace(option: str, name: str) -> str:
    """`name` if it can be a namespace's. It becomes part of a URL."""
    if _NAME.fullmatch(name) and len(name) <= 63:
        return name
    raise OptionError(f"{option} {name!r} is no namespace's name.", hint=f"{option} {stem(name, 63)}")


def stem(text: str, longest: int = LONGEST_NAME - 6) -> str:
    """The nearest valid name to `text`: lower case, other characters as '-'; `cell` if nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
    return slug or "cell"


def fresh_name(text: str) -> str:
    """A new job name that starts like `text`."""
    return f"{stem(text)}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"


def name_after(name: str) -> str:
    """A new name for the job `name`, submitted once more; however often that is done, it grows no longer."""
    return fresh_name(_GENERATED.sub("", name))


def label_value(text: str) -> str:
    """`text` as a label value; equal texts give equal values, different texts different ones."""
    if _LABEL.fullmatch(text) and len(text) <= 63 and not _DIGESTED.search(text):
        return text
    # A file name may hold bytes that are no text.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", text).strip("-_.")[-52:].strip("-_.")
    return f"{slug}-{digest}" if slug else digest
