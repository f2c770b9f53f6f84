"""Pure builders: one small function per kind, each a dict literal in YAML order; absent means absent.

Here: manifests and the labels on them. Not here: any request, any decision that needs the cluster (the caller passes
what it knows as a `Placement`). May import `spec`, `runner`, and `telemetry`'s way to read objects.
"""
