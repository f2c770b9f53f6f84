"""The verbs of `%kube`: one table, from which help and suggestions come."""

from __future__ import annotations

from collections.abc import Mapping

VERBS: Mapping[str, str] = {
    "run": "[options of %%kubetrain] SCRIPT|IMAGE -- ARGUMENTS: run a Python script as a cell, an image as it is",
    "create": "-f FILE: create the objects of a YAML file as they are",
    "jobs": "jobs of this namespace (or machine), also those that kubectl made, newest first; where each came from",
    "logs": "NAME: the log of a job as far as it is kept",
    "attach": "NAME [--tail N] [--trust]: show a job's log from its start, then its values or its exception come here",
    "stop": "NAME: end a job (TERM, grace, KILL); the job and its log stay",
    "delete": "NAME: remove a job and all that it owns",
    "gpus": "GPUs by node: product, total, in use, free",
    "config": "what is set, and where; NAME=VALUE sets an option for this notebook, NAME= takes it back",
    "doctor": "[--pull] [--json]: what stands in the way of a job here: cluster, rights, quota, notebook; what to type",
}

VERBS_HELP = "Run scripts and images, look at jobs, end them, choose the cluster.\n\n" + "\n".join(
    f"    %kube {verb:<8} {text}" for verb, text in VERBS.items()
)
