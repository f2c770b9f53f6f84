"""Tests of `kube_magics.cluster`."""
