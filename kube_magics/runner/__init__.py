"""The ground: what runs beside the user's program, in the pod or on this machine.

Belongs here: the container's first process (boot, unpack, run, launch, supervisor, pump, sampler), the program that
runs the user's statements, and the line protocol that both sides speak. Does not belong here: anything that knows
notebooks, specs or Kubernetes.

May import: the standard library and nothing else, not even the rest of kube_magics. These files are shipped in every
bundle as the package `kube_magics_runner` and run in whatever image the user has, so they parse as Python 3.8, use no
newer API, import each other relatively, and put off what is slow until the user's program has been started: pathlib,
subprocess, typing and dataclasses are never imported, since each costs as much as starting an interpreter. Steps that
run in a process of their own, and only in jobs that need them, may.
"""
