"""From a notebook cell to the files that travel, and from a result's bytes back to a value.

The rooms, each of which knows only those above it:
  analysis     what a code's text says, without running it: which names it reads and binds, what it imports
  definitions  where the notebook's functions and classes have their source, and whether they still are what it says
  values       how values are pickled and digested, and what hinders them
  files        which files travel besides the program: local modules, those of `--files`, requirements
  closure      what each name of the notebook travels as, and the order in which all can stand
  checks       what is refused before anything travels, and what a user is told although it does

Here, because they are about the whole:
  the notebook, as all the rooms see it              notebook
  a cell or a call, with what it brings; a script    capture, brought, script
  the zip, and why it is too large                   bundle, weight
  values coming home                                 results

Does not belong here: IPython, Kubernetes, the network, processes, printing. Everything is a function of its arguments;
files are read only where they are to travel. May import: `spec`, `runner`, `errors`.
"""
