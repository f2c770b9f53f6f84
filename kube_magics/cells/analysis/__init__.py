"""What a code's text says, without running it.

Belongs here:
  which names it reads and binds, in which order     names, quoted, flow, reads, scopes
  which modules it imports, which seeds it sets      imports, seeds
  what a notebook's cell has besides Python          syntax, ipython

Does not belong here: live objects. All is read from text and its tree.

May import: what `cells` may, and no other room of it.
"""
