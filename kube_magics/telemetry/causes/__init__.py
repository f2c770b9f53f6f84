"""The named causes: a file for each place where a cluster says why a job does not run, or how it ended.

Here: from words of one kind (a condition, an event, a container's state) to a sentence and what to type. Not here:
which of several goes first (`telemetry/explain.py`). Pure; what is not recognised is quoted as the cluster said it. May
import `spec`, `runner`'s tables, and of `telemetry` what reads objects and events.
"""
