"""Tests of `kube_magics.spec`."""
