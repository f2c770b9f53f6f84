"""From a notebook cell to the files that travel, and from a result's bytes back to a value.

Belongs here:
  which names a cell uses                            names, quoted, flow, reads, scopes
  where a definition is, and whether it still lives  sources, compare, classes, computed
  what a module is; which local ones are imported    modules, imports, locate, localmodules, edited
  what each name travels as, in which order          items, steps, closure, promotion
  how values are pickled, and what hinders them      values, pickler, data, culprits
  how what has no source is taken apart              bytecode
  what a notebook has and a job has not              syntax, ipython, absent
  what must not travel                               credentials, exposure
  the whole, for a cell, a call, a script            checks, cautions, settings, variables, capture, texts, program
  what a capture brings besides; a script as one     brought, script
  the files besides it; the zip, and its weight      files, ignore, cargo, bundle, weight
  the key for re-attaching; values coming home       digests, results, jobcode

Does not belong here: IPython, Kubernetes, the network, processes, printing. Everything is a function of its arguments;
files are read only where they are to travel. May import: `spec`, `runner`, `errors`.
"""
