"""Our numbers beside those of the tool a person would use instead, measured in the same run on the same cluster.

One module a benchmark; its docstring says from when to when its number counts. `measure.py` has rounds, medians, goals
and `results.json`; `place.py` the cluster, the notebook and kubectl. Here: real parts only, used as people use them.
Not here: assertions (how fast a machine is, is no test's business), anything that only a benchmark could reach.

    python -m benchmarks [NAME…] [--rounds N]
"""
