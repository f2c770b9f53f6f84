"""Tests of `kube_magics.telemetry`."""
