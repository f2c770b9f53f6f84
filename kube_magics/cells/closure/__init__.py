"""From the names that a cell uses to a program: what each travels as, and the order in which all can stand.

Belongs here:
  an import, a source, or data                       items, steps
  what each name needs in turn                       closure
  what every import of main.py runs                  promotion
  program.json                                       program

May import: what `cells` may, and of `cells` `values`, `definitions` and what is below them.
"""
