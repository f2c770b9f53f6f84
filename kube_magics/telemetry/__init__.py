"""From objects and lines to meaning: snapshots of jobs, and why a job is in the state it is in.

Pure: no I/O, no clock but what the caller passes. May import `spec`, `runner.protocol`, `errors`.
"""
