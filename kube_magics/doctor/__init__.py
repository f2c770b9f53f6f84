"""`%kube doctor`: what stands between a user and their first job, each thing found out and said in one line.

`judging/` holds pure functions from facts to lines; the files here find the facts: `cluster.py` by asking the API
server, `surroundings.py` by looking at this process and machine, `store.py` and `pull.py` by trying. `examine.py` is
the door. Nothing here hangs: each question has a bound (`bounds.py`). Not here: what a magic prints. May import all
that is below `magics`; never IPython.
"""
