"""From facts to lines: what is well, what is lost, what is broken, what to type. Pure: no request, no file, no clock.

One file a topic; each function takes what was found and gives lines. May import `spec`, `telemetry`, plain values of
`cluster` (`permissions`, `login`) and `jobs` (`screen`), and `doctor.line`; nothing that asks.
"""
