"""From a notebook cell to the files that travel, and from a result's bytes back to a value.

Belongs here: which names a cell uses (`scopes`, `flow`), where a definition's source is (`sources`), what a module is
(`modules`), how values are pickled and found again (`values`, `results`), the program and its order (`capture`,
`program`), the zip (`bundle`), the key for re-attaching (`digests`).

Does not belong here: IPython, Kubernetes, the network, processes, printing. Everything is a function of its arguments;
files are read only where they are code to ship. May import: `spec`, `runner`, `errors`.
"""
