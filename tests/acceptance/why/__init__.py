"""`%kube why` on a real cluster: causes planted there, and what is said of each.

Here: Jobs, what stands in their way, and what must be said. `test_why_common.py` is the short form, by the user's own
rights; the others plant all that one node can have at once. Not here: words that no cluster at hand says, which
`tests/telemetry/test_causes.py` has with their sources.
"""
