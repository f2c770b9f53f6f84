"""What each verb of `%kube` and of the command `kube-magics` does: a function a verb, the same for both doors.

Here: from an understood line to jobs, tables and sentences. Not here: IPython (that is `magics`), a terminal's exit
codes (`terminal`), the table of verbs (`spec/verbs.py`). May import `jobs` and everything below; prints through its
`Door`.
"""
