"""Tests of `kube_magics.widgets`."""
