"""The only code that speaks to Kubernetes: authentication, JSON over aiohttp, watches, logs.

Foreign exceptions are translated here, once, cause kept. Not here: what a Job looks like (`manifests`), what its state
means (`telemetry`). May import `spec`, `telemetry`, `runner.protocol`, `errors`; never `manifests`.
"""
