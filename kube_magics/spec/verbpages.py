"""The table of verbs as people read it: `%kube help`, `%kube logs -h`, and docs/verbs.md."""

from __future__ import annotations

import sys

from kube_magics.spec.options import BY_FIELD, PLACE
from kube_magics.spec.pages import code, entry, table
from kube_magics.spec.pages import help_text as help_text_of_options
from kube_magics.spec.verbs import VERBS, Verb

NOTEBOOK, TERMINAL = "%kube", "kube-magics"
_INTRODUCTION = """\
# Verbs

<!-- Made from kube_magics/spec/verbs.py by `make fix`; a test holds it. -->

`%kube VERB …` in a notebook, `kube-magics VERB …` in a terminal: the same verbs, on any Job of the namespace, also
one that kubectl made. `%kube VERB -h` shows what stands here.

Each takes `--namespace` (`-n`), `--context`, `--backend` and `--debug`, as in [options](options.md).

## Tables

`jobs`, `gpus`, `nodes` and `events` give a table. In a notebook it is the line's value: a pandas DataFrame where the
notebook has imported pandas, else a table that shows itself, and has `.records` (a dict a row) and `.to_pandas()`.
pandas is never imported for it: that takes longer than most clusters need to answer. In a terminal it is text.

- `--sort-by COLUMN,…`: by the names below, or by the heads of the table (`age`, `in_use`); `--sort-by=-gpus` begins
  with the most. What is unknown comes last.
- `--filter COLUMN=PATTERN`, with the patterns of a shell; `!=`, and `<`, `<=`, `>`, `>=` for numbers and for how long:
  `age>2h`, `duration_s<90s`. In a terminal those need quotes.
- `--json` prints `{"kind": "jobs", "where": …, "rows": […], "notes": […]}`: a row is an object with the columns
  below, `null` where something is not known, times as RFC 3339 in UTC; `notes` are sentences for people, as of rights
  that are missing. Names and meanings stay; new columns may come.

## In a terminal

`kube-magics` needs no notebook and no IPython. Defaults come from the environment (`KUBE_MAGICS_CONTEXT=lab`). Ctrl-C
once leaves the job alone, twice within three seconds stops it, as in a notebook. In CI set
`KUBE_MAGICS_ON_INTERRUPT=stop`: a run that is cancelled (INT or TERM) ends its job. `run` submits anew each time.
`source <(kube-magics completion bash)` completes verbs, options and names (zsh: `kube-magics completion zsh`).

| exit code | of `run` and `attach` | of all others |
| --- | --- | --- |
| 0 | the job has succeeded | done |
| the program's own | it ended with that one (1: an exception) | |
| 1 | | it failed |
| 2 | the line is wrong (as a program's own 2: see stderr) | the line is wrong |
| 124 | `--timeout` ran out | |
| 125 | it never ran, or how it ended is not known | |
| 128 + N | it was killed by signal N: 137 at its memory limit, too; 143: it was stopped | |
| 130 | interrupted here: the job goes on (as a program's own 130, or one killed by INT: see stderr) | interrupted |
"""


def help_text(prog: str = NOTEBOOK) -> str:
    """All verbs, a line each."""
    lines = [f"    {prog} {verb.name:<9} {verb.help}" for verb in VERBS.values()]
    foot = f"{prog} VERB -h says more of one."
    return "\n".join(["Run scripts and images, look at jobs, end them, choose the cluster.", "", *lines, "", foot])


def verb_help(verb: Verb, prog: str = NOTEBOOK) -> str:
    """One verb, with its options and examples."""
    usage = verb.usage if prog == NOTEBOOK else verb.usage.replace("options of %%kubetrain", "options")
    parts = [f"{prog} {usage}", "", verb.help]
    if verb.more:
        parts.append(verb.more)
    if verb.name == "run":
        parts += ["", help_text_of_options()]
    else:
        parts += ["", "Options:", *(entry(each) for each in (*verb.options, *(BY_FIELD[field] for field in PLACE)))]
    if verb.columns:
        parts += ["", f"Columns: {', '.join(column.name for column in verb.columns)}"]
    parts += ["", "Examples:", *(f"  {prog} {example}" for example in verb.examples)]
    return "\n".join(parts)


def page() -> str:
    """docs/verbs.md."""
    parts = [_INTRODUCTION]
    for verb in VERBS.values():
        text = f"## {verb.name}\n\n{code(f'{NOTEBOOK} {verb.usage}')}\n\n{verb.help}"
        text += f" {verb.more}\n" if verb.more else "\n"
        if verb.options:
            rows = [
                (code(f"--{each.name}", each.short), code(each.metavar), each.help, code(each.example))
                for each in verb.options
            ]
            text += "\n" + table(("option", "value", "meaning", "example"), rows)
        if verb.columns:
            columns = [(code(each.name), each.kind, each.help) for each in verb.columns]
            text += "\n" + table(("column", "kind", "meaning"), columns)
        text += "\n" + "\n".join(f"    {NOTEBOOK} {example}" for example in verb.examples) + "\n"
        parts.append(text)
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
