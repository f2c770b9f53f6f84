"""The store of `--artifacts`: what is too large for the cluster's database goes in, what is too large for a log out.

Belongs here: writing, reading and removing one job's files below the URL (`store`), the digest that both sides check
(`pieces`), and the two steps of a job that use them in the pod (`fetch`, `collect`). Does not belong here: anything
that knows notebooks, specs or Kubernetes; which values are too large.

These files run on both sides: here as what they are, in the pod as the package `kube_magics_artifacts`, shipped only
with jobs that have a store. They are not the runner: they may use fsspec, imported late, where the URL needs it. A
folder of this machine (or of a mounted volume) needs none. May import: the standard library, and in the pod
`kube_magics_runner`. They run in whatever Python the user's image has: 3.8 or newer.
"""
