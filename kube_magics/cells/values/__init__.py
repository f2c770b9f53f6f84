"""How values are pickled without copies, which of them are equal, and what hinders one.

Belongs here:
  the pickle of all captured values, and its file    pickles, pickler, data
  the same value, the same digest                    digests
  the path to what cannot travel                     culprits

May import: what `cells` may, and of `cells` `definitions` and what is below it.
"""
