"""An image with another minor of Python: what has a source runs there, what is bytecode is refused with both versions."""

from __future__ import annotations

import sys

import pytest

from tests.acceptance.desk import Desk
from tests.cluster import Cluster

pytestmark = pytest.mark.jobs

BEFORE = """
rate = 2
class Net:
    scale = 1
    def __call__(self, x, rate=rate): return self.scale * rate * x
Net.scale = 10
rate = 3
net = Net()
cfg = {"activation": [lambda x: x]}
"""


@pytest.mark.cluster
def test_another_minor_of_python(there: Desk, cluster: Cluster) -> None:
    line = f"%%kubetrain --image {cluster.images.torch} --cpus 100m"
    there.right(BEFORE)
    ran = there.run(f"{line} --name bytecode\nprint(cfg)")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert ran.error == "PythonMismatch"
    said = f'cfg["activation"][0] is a lambda: it travels as bytecode of Python {here}, and this image has Python 3.'
    assert said in ran.traceback
    assert "at the top level of a cell" in ran.traceback
    ran = there.right(f"{line} --name sources --returns y\ny = net(1), rate")
    assert there.kernel.value("y") == "(20, 3)"
