"""From objects and lines to meaning: snapshots of jobs, why a job is in the state it is in, and how far it is.

Pure: no I/O, no clock but what the caller passes. May import `spec`, `runner.protocol`, `errors`.
"""
