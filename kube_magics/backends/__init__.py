"""Where jobs run: one contract, kept by `kubernetes.py` and `local.py`.

Here: submit, look, follow, stop, delete. Not here: what to show, where to store results, notebooks.
May import `cluster`, `manifests`, `cells`, `telemetry`, `spec`, `runner`, `errors`.
"""
