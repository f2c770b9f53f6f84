"""What the user asks for: frozen values and their validation.

Here: the option table, where defaults come from, a site's limits, job specifications, quantities, durations, names,
what looks like a credential. Pure: no I/O, no IPython, no Kubernetes. May import `errors` and the
constants of `runner.protocol`.
"""
