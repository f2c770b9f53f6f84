"""The columns of the tables that verbs give: from them come text, HTML, `--json`, DataFrames, `--sort-by`, `--filter`
and docs/verbs.md.

The names are a promise to programs: one that is here stays here, and means the same.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT, NUMBER, TIME, DURATION, LIST, FLAG = "text", "number", "time", "duration", "list", "flag"


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    """In `--json`, in a DataFrame, behind `--sort-by` and `--filter`; with its unit: `duration_s`."""
    kind: str
    """`text`, `number`, `time` (RFC 3339), `duration` (seconds), `list` (of texts), `flag`."""
    help: str
    title: str = ""
    """Its head in the table that people read; empty: it is in `--json` and in DataFrames alone."""

    @property
    def also(self) -> str:
        """Its head as a name: `age` for `created_at`."""
        return self.title.lower().replace(" ", "_")


JOBS = (
    Column("name", TEXT, "The job's name.", "NAME"),
    Column("namespace", TEXT, "Its namespace; local on this machine."),
    Column("status", TEXT, "pending, running, succeeded, failed, stopped, suspended, incomplete.", "STATUS"),
    Column("attempt", NUMBER, "Which attempt runs, or ran last: 1, and more with --retries."),
    Column("attempts", NUMBER, "How many there may be."),
    Column("gpus", NUMBER, "Devices that it asks for.", "GPUS"),
    Column("created_at", TIME, "When it was submitted.", "AGE"),
    Column("started_at", TIME, "When its program began."),
    Column("finished_at", TIME, "When it ended."),
    Column("duration_s", DURATION, "How long it has run, or ran.", "TOOK"),
    Column("node", TEXT, "The node that runs it; pid N on this machine.", "NODE"),
    Column("notebook", TEXT, "Where it was submitted from.", "NOTEBOOK"),
    Column("cell", TEXT, "The cell there: In [3].", "CELL"),
    Column("kernel", TEXT, "Whether the process that submitted it is this one, alive or gone.", "KERNEL"),
    Column("why", TEXT, "Why it does not run, or how it failed."),
    Column("said", TEXT, "The cluster's own words on that."),
)
GPUS = (
    Column("node", TEXT, "The node; this machine on this machine.", "NODE"),
    Column("product", TEXT, "What its driver calls the GPUs.", "PRODUCT"),
    Column("total", NUMBER, "GPUs that jobs may have there.", "TOTAL"),
    Column("used", NUMBER, "GPUs that jobs have.", "IN USE"),
    Column("free", NUMBER, "GPUs that nobody has.", "FREE"),
    Column("ready", FLAG, "Whether it takes new jobs."),
)
NODES = (
    Column("node", TEXT, "Its name.", "NODE"),
    Column("status", TEXT, "ready; cordoned (takes no new jobs); not ready; unknown.", "STATUS"),
    Column("gpus", NUMBER, "GPUs that jobs may have there.", "GPUS"),
    Column("used", NUMBER, "GPUs that jobs have.", "IN USE"),
    Column("free", NUMBER, "GPUs that nobody has.", "FREE"),
    Column("product", TEXT, "What its driver calls the GPUs.", "PRODUCT"),
    Column("cpus", NUMBER, "Cores for jobs.", "CPUS"),
    Column("cpus_free", NUMBER, "Cores that no job has reserved.", "FREE CPUS"),
    Column("memory_bytes", NUMBER, "Memory for jobs.", "MEMORY"),
    Column("memory_free_bytes", NUMBER, "Memory that no job has reserved.", "FREE MEMORY"),
    Column("taints", LIST, "What keeps jobs away that do not tolerate it (--toleration).", "TAINTS"),
    Column("users", LIST, "Who has its GPUs: NAMESPACE/JOB, and how many.", "USED BY"),
)
EVENTS = (
    Column("at", TIME, "When it happened last.", "AGE"),
    Column("job", TEXT, "Of which job.", "JOB"),
    Column("what", TEXT, "What happened, in plain words; empty: only the cluster's are known.", "WHAT HAPPENED"),
    Column("type", TEXT, "Normal or Warning."),
    Column("reason", TEXT, "The cluster's word for it.", "REASON"),
    Column("object", TEXT, "What it happened to: job/NAME, pod/NAME.", "OBJECT"),
    Column("count", NUMBER, "How often it has happened.", "TIMES"),
    Column("said", TEXT, "The cluster's words.", "SAID"),
)
