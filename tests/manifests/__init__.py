"""Tests of `kube_magics.manifests`."""
