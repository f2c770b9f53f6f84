"""Tests of `kube_magics.widgets`: HTML, logic without a page, a place in a kernel. In a browser: `tests/browser`."""
