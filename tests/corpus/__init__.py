"""Small notebooks as data, each with one job: what a cell does as a job is what it does when it simply runs here.

The `.cases` files hold the notebooks, `reading` says how they are written, `plain` runs them without us, `desk` as real
jobs, `seen` is what both are compared by. `test_corpus` runs all of it.
"""
