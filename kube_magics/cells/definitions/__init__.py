"""Where the notebook's functions, classes and modules have their source, and whether they still are what it says.

Belongs here:
  statements in the cells that have run              sources, history, texts
  whether a live function or class is its statement  compare, classes, computed, changes
  what code without source looks up                  bytecode
  what a module is; whether its file has changed     modules, edited
  what a job ran, against what the notebook has      jobcode

May import: what `cells` may, and of `cells` `analysis`, `notebook`.
"""
