"""The files that travel besides the program.

Belongs here:
  those of `--files`, and what a folder keeps back   chosen, ignore
  local modules that are imported                    localmodules, locate
  requirements files                                 requirements
  where each stands in the bundle                    cargo

May import: what `cells` may, and of `cells` `definitions` and what is below it.
"""
