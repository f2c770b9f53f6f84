"""From a notebook cell to the files that travel, and from a result's bytes back to a value.

Belongs here: which names a cell uses (`names`, `quoted`, `flow`, `reads`, `scopes`), where a definition's source is and
whether it still is what lives (`sources`, `compare`, `classes`), what a module is (`modules`), which local ones are
imported, where they are and whether they were edited since (`imports`, `locate`, `localmodules`, `edited`), what each
name travels as and in which order (`items`, `closure`, `promotion`), how values are pickled and what hinders them
(`values`, `data`, `culprits`), the whole (`syntax`, `checks`, `cautions`, `capture`, `program`), the files besides it
(`files`, `ignore`, `cargo`), the zip (`bundle`) and what makes it heavy (`weight`), the key for re-attaching
(`digests`), and values coming home (`results`).

Does not belong here: IPython, Kubernetes, the network, processes, printing. Everything is a function of its arguments;
files are read only where they are to travel. May import: `spec`, `runner`, `errors`.
"""
