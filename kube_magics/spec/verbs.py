"""The verbs of `%kube` and of the command `kube-magics`: one table, from which both are parsed, and from which help,
suggestions, completion and docs/verbs.md come.

A verb is added here, once; what it does is a function of `kube_magics.verbs`, named in `verbs/call.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kube_magics.spec import columns, readers, selection
from kube_magics.spec.columns import Column
from kube_magics.spec.option import Option

TAIL = Option("tail", "Only the last N lines of what is there already (default: all).", readers.lines, "N", unit="lines", example="--tail 100", also="lines last")  # fmt: skip
TRUST = Option("trust", "Load what a job sends back that another user, or another machine of yours, submitted.", None, default=False, example="--trust")  # fmt: skip
JSON = Option("json", "Print JSON, for programs, instead of text for people.", None, default=False, example="--json", also="o output format")  # fmt: skip
SORT = Option("sort-by", "Sort by these columns; -COLUMN turns the order round (written with =).", selection.order, "COLUMNS", unit="columns, commas between", example="--sort-by=-gpus,name", complete="<columns>", also="sort order order-by")  # fmt: skip
FILTER = Option("filter", "Only rows whose column is like this: =, != with a pattern of a shell, <, <=, >, >= with a number (repeatable: all must hold).", selection.condition, "COLUMN=PATTERN", default=(), many=True, unit="one condition", example="--filter notebook=train*", complete="<columns>=", also="field-selector where")  # fmt: skip
STATUS = Option("status", "Only jobs with one of these states (repeatable).", selection.states, "STATES", default=(), many=True, unit="states, commas between", example="--status running,pending", complete=" ".join(selection.STATES), also="state phase")  # fmt: skip
SELECTOR = Option("selector", "Only jobs with these labels, in kubectl's words.", readers.text("team=vision"), "LABELS", short="-l", unit="labels, commas between", example="--selector team=vision", also="label labels")  # fmt: skip
_TABLE = (SORT, FILTER, JSON)


@dataclass(frozen=True)
class Verb:
    """One verb."""

    name: str
    help: str
    """One sentence."""
    takes: str = ""
    """What stands behind it, but for its options: `NAME…`."""
    more: str = ""
    """What else there is to know, in sentences."""
    least: int = 0
    """Names that it needs."""
    most: int | None = 0
    """Names that it takes; None: any number."""
    options: tuple[Option, ...] = ()
    """Of its own; beside them each takes those of `spec.options.PLACE`."""
    columns: tuple[Column, ...] = ()
    """Of the table that it gives; empty: it gives none."""
    examples: tuple[str, ...] = ()
    """As they are typed behind `%kube`."""
    complete: str = ""
    """What Tab offers for a word that is no option: a list of `magics.completion`."""
    own_line: bool = False
    """It reads its words itself."""

    @property
    def usage(self) -> str:
        """`logs NAME`."""
        return f"{self.name} {self.takes}".rstrip()


_ALL = (
    Verb(
        "run",
        "Run a Python script as a job, as a cell runs, or an image as it is.",
        "[options of %%kubetrain] SCRIPT|IMAGE -- ARGUMENTS",
        "Also `run -- python train.py …`, as one would type it. Waits for the job's end unless --detach is given.",
        examples=("run train.py --gpus 1 --files data -- --lr 1e-3", "run --gpus 1 team/mnist:1", "run -- python train.py"),
        complete="<files>",
        own_line=True,
    ),
    Verb(
        "create",
        "Create the objects of a YAML file as they are, as kubectl does.",
        "-f FILE",
        "In a terminal `-f -` reads what a pipe brings: `kube-magics run --dry-run train.py | kube-magics create -f -`.",
        examples=("create -f job.yaml",),
        own_line=True,
    ),
    Verb(
        "jobs",
        "Jobs of this namespace (or machine), also those that kubectl made, newest first; where each came from.",
        options=(STATUS, SELECTOR, *_TABLE),
        columns=columns.JOBS,
        examples=("jobs", "jobs --status running --sort-by=-gpus", "jobs --filter notebook=train* --json"),
    ),
    Verb(
        "dashboard",
        "The jobs of this namespace (or machine), live: filter, sort, look into one, stop, delete or re-run it.",
        more="In a notebook whose JupyterLab has anywidget (`kube-magics[lab]`); elsewhere it is the table of `jobs`.",
        examples=("dashboard", "dashboard --namespace team-b"),
    ),
    Verb(
        "logs",
        "The log of a job as far as it is kept.",
        "NAME",
        "Of a job with several pods or containers each line says where it is from, as with `kubectl logs --prefix`.",
        least=1,
        most=1,
        options=(
            Option("follow", "Go on with what comes, until the job's end; an interrupt ends it, and the job goes on.", None, default=False, short="-f", example="--follow"),
            TAIL,
            Option("previous", "Of the run before the last one: of a container that was started again, of a job that was tried again.", None, default=False, short="-p", example="--previous"),
            Option("container", "Of this container alone.", readers.named("container"), "NAME", short="-c", unit="a container's name", example="--container sidecar"),
            Option("pod", "Of this pod alone.", readers.named("pod"), "NAME", unit="a pod's name", example="--pod digits-x7k2p-lm4qz"),
        ),
        examples=("logs digits-x7k2p --tail 100", "logs -f digits-x7k2p"),
        complete="<jobs>",
    ),
    Verb(
        "attach",
        "Show a job's log from its start and wait for its end; then its values, or its exception, come here.",
        "NAME",
        "In a terminal nothing is loaded: values wait for a notebook.",
        least=1,
        most=1,
        options=(TAIL, TRUST),
        examples=("attach digits-x7k2p", "attach digits-x7k2p --tail 20"),
        complete="<jobs>",
    ),
    Verb(
        "rerun",
        "Submit a job once more, under a fresh name: the code, data and files that it was submitted with, without its cell.",
        "NAME",
        "Nobody waits for the new one: `attach` brings its output and values (of somebody else's with --trust). Any job of the cluster or of this machine will do,"
        " also kubectl's, but one whose files never arrived, or that picks its pods by labels of its own; one with a store"
        " (`--artifacts`) only if it was submitted from here, and its captured values are still there: a job takes them away"
        " once it has them. A job of this machine begins in the environment of now, and with the very files and values of"
        " the first, or not at all.",
        least=1,
        most=1,
        examples=("rerun digits-x7k2p",),
        complete="<jobs>",
    ),
    Verb(
        "stop",
        "End jobs (TERM, grace, KILL); they and their logs stay.",
        "NAME…",
        "What waits in one of Kueue's queues can only be deleted.",
        least=1,
        most=None,
        examples=("stop digits-x7k2p",),
        complete="<jobs>",
    ),
    Verb(
        "delete",
        "Remove jobs and all that they own.",
        "NAME…",
        least=1,
        most=None,
        examples=("delete digits-x7k2p digits-b4mzk",),
        complete="<jobs>",
    ),
    Verb(
        "describe",
        "All that is known of a job, in plain words: state and why, what it runs, asks for and sends back, its pods; how far it is, while this kernel follows it.",
        "NAME",
        least=1,
        most=1,
        options=(JSON,),
        examples=("describe digits-x7k2p",),
        complete="<jobs>",
    ),
    Verb(
        "why",
        "Why a job does not run, or how it ended: the cause, what the cluster said, what to type next.",
        "NAME",
        "Where nothing is wrong it says so, and where the cause is not known what there is to be seen. In `--json`"
        " `verdict` is cause, well or unknown, and `cause` a word for programs, as unschedulable or oom.",
        least=1,
        most=1,
        options=(JSON,),
        examples=("why digits-x7k2p", "why digits-x7k2p --json"),
        complete="<jobs>",
    ),
    Verb(
        "events",
        "What the cluster has done with a job and its pods, or with all of them, oldest first.",
        "[NAME]",
        "A cluster keeps events for an hour, as a rule.",
        most=1,
        options=_TABLE,
        columns=columns.EVENTS,
        examples=("events digits-x7k2p", "events --filter type=Warning"),
        complete="<jobs>",
    ),
    Verb(
        "yaml",
        "The job as YAML that creates it again, with the files that travelled.",
        "NAME",
        "Without what the cluster has added. What looks like a credential is left out, and said.",
        least=1,
        most=1,
        options=(JSON,),
        examples=("yaml digits-x7k2p",),
        complete="<jobs>",
    ),
    Verb(
        "gpus",
        "GPUs by node: product, total, in use, free.",
        options=_TABLE,
        columns=columns.GPUS,
        examples=("gpus", "gpus --filter free>0"),
    ),
    Verb(
        "nodes",
        "Nodes: what they have, what is free, what keeps jobs away, who uses their GPUs.",
        options=_TABLE,
        columns=columns.NODES,
        examples=("nodes", "nodes --filter status=ready --sort-by=-free"),
    ),
    Verb(
        "doctor",
        "What stands in the way of a job here: cluster, rights, quota, notebook; and what to type.",
        more="In a terminal it ends with 1 where something is broken.",
        options=(
            Option("pull", "Let a short pod pull the image; it is removed again.", None, default=False, example="--pull"),
            Option("admin", "For administrators: how the cluster is set up for all its users, too.", None, default=False, example="--admin"),
            JSON,
        ),
        examples=("doctor", "doctor --pull --image team/torch:2.6", "doctor --admin"),
        own_line=True,
    ),
    Verb(
        "config",
        "What is set, and where; NAME=VALUE sets an option for this notebook, NAME= takes it back.",
        "[NAME=VALUE…]",
        "In a terminal only `context=NAME` is of use: it says once that you mean that cluster. All else is set in the"
        " environment there.",
        most=None,
        examples=("config", "config context=lab", "config gpus=1 image=team/torch:2.6", "config image="),
        own_line=True,
    ),
)  # fmt: skip

VERBS: Mapping[str, Verb] = {verb.name: verb for verb in _ALL}
