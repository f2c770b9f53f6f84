"""Pictures of what `telemetry` knows. A picture is made of what it is given; it asks no cluster and knows no jobs.

Of a job: HTML that needs no script and no style sheet, and survives being sanitized. Of all jobs: an anywidget that is
told of each change and hands on what is wished there (`magics` joins it with the jobs), its ES modules and style sheet
beside it. May import `telemetry` and what is below.
"""
