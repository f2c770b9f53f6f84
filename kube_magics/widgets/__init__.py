"""Pictures of what `telemetry` knows: HTML that needs no script and no style sheet, and survives being sanitized.

A picture is made of what it is given; it asks no cluster and knows no jobs. May import `telemetry` and what is below.
"""
