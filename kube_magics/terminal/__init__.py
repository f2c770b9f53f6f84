"""The door of a terminal: the command `kube-magics`, for people outside a notebook and for CI.

Here: its start, its exit codes, its streams, shell completion. Not here: what a verb does (`verbs`). May import `verbs`
and everything below; never IPython. `--help` must come at once, so what a verb needs is imported when one is called.
"""
