"""What is refused before anything travels, and what a user is told although the job runs.

Belongs here:
  refused: wrong returns, credentials on the way     refused, credentials, exposure
  what a notebook has and a job has not              absent
  told: sentences of one line                        cautions, settings, variables

May import: what `cells` may, and of `cells` `closure`, `files` and what is below them.
"""
