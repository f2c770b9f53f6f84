"""Tensors and models on a GPU travel to a job and back, whether the notebook has one or not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gpu.notebook import Notebook, notebook
from tests.kernel import Ran

pytestmark = [pytest.mark.gpu, pytest.mark.alone]

TRAINED = """%%kubetrain --gpus 1 --new --returns model,weight,half,x,y,losses,told
import os, torch
torch.manual_seed(1)
model = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1)).cuda()
data = torch.randn(4096, 16, device="cuda")
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
losses = []
for _ in range(200):
    loss = ((model(data) - data.sum(1, keepdim=True)) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
weight, half = model[0].weight, data[:3].half()
x = data[:4].clone()
with torch.no_grad():
    y = model(x)
told = [torch.cuda.get_device_name(), torch.cuda.device_count(), os.environ["CUDA_VISIBLE_DEVICES"]]
"""
SOUND = """
import torch
tensors = [*model.parameters(), weight, half, x, y]
with torch.no_grad():
    close = torch.allclose(model(x), y, rtol=1e-2, atol=1e-2)
found = [
    sorted({str(tensor.device) for tensor in tensors}), close, weight is model[0].weight,
    str(half.dtype), type(model).__name__, losses[-1] < losses[0] / 10,
]
"""
EARLIER = """
import torch
scale = torch.tensor([2.0, 3.0], device="cuda")
net = torch.nn.Linear(2, 2).cuda()

def scaled(x):
    return (net(x.cuda()) * scale).detach().cpu()
"""
USED = """%%kubetrain --gpus 1 --new --returns there,devices
import torch
there = scaled(torch.ones(1, 2))
devices = [str(scale.device), str(next(net.parameters()).device)]
"""


@pytest.fixture(scope="module")
def lit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A notebook on the GPU: from its first tensor there on it computes there itself."""
    with notebook(tmp_path_factory.mktemp("lit")) as made:
        yield made


def trained(book: Notebook) -> Ran:
    ran = book.right(TRAINED)
    name, count, own = book.value("told")
    assert (name != "", count, own.startswith("GPU-")) == (True, 1, True)
    return ran


def test_what_was_on_the_gpu_is_on_the_cpu_of_a_notebook_without_one(dark: Notebook) -> None:
    ran = trained(dark)
    # `weight` is a part of the model: it came with it.
    assert "on the CPU here: the tensors of model, half, x, y, which were on cuda:0" in ran.stdout
    dark.right(SOUND)
    assert dark.value("found") == [["cpu"], True, True, "torch.float16", "Sequential", True]
    called = dark.right(
        "@kube_magics.remote(gpus=1)\ndef ones(n):\n    return torch.ones(n, device='cuda')\nthree = ones(3)"
    )
    assert "on the CPU here: the tensors of the value, which were on cuda:0" in called.stdout
    assert dark.value("[str(three.device), three.tolist()]") == ["cpu", [1, 1, 1]]


def test_an_exception_brings_its_tensors(dark: Notebook) -> None:
    ran = dark.kernel.run("%%kubetrain --gpus 1\nimport torch\nraise ValueError('bad', torch.ones(2, device='cuda'))")
    assert ran.error == "ValueError", ran
    dark.right("import sys\nname, tensor = sys.last_value.args")
    assert dark.value("[name, str(tensor.device), tensor.tolist()]") == ["bad", "cpu", [1, 1]]


def test_what_was_on_the_gpu_is_there_again_in_a_notebook_with_one(lit: Notebook) -> None:
    assert "on the CPU here" not in trained(lit).stdout
    lit.right(SOUND)
    assert lit.value("found") == [["cuda:0"], True, True, "torch.float16", "Sequential", True]


def test_a_notebook_on_the_only_gpu_may_use_it_in_a_job(lit: Notebook) -> None:
    lit.right(EARLIER)
    lit.right(USED)
    assert lit.value("devices") == ["cuda:0", "cuda:0"]
    assert lit.value("torch.allclose(there, scaled(torch.ones(1, 2)), rtol=1e-2, atol=1e-2)")
    assert lit.value("kube_magics.train(scaled, [torch.ones(1, 2)], gpus=1).result().tolist() == there.tolist()")


def test_a_job_without_a_gpu_refuses_what_is_on_one(lit: Notebook) -> None:
    lit.right(EARLIER)
    for name in ("scale", "net"):
        refused = lit.kernel.run(f"%%kubetrain\n{name}")
        assert refused.error == "CaptureError", refused
        assert "a tensor on cuda:0, and the job has no GPU" in refused.message
        assert "--gpus 1, or bring it to memory first" in refused.traceback
