"""PyTorch: classes of the notebook and of the cell itself train in the job and come back as themselves.

The notebook runs where a hub user's does: in a pod with torch and an account of the cluster.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.cluster import Cluster, Namespace
from tests.notebooks.notebooks import plain
from tests.notebooks.pod import run_inside

pytestmark = pytest.mark.cluster
EARLIER = """
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

@dataclass
class History:
    losses: list[float]
    steps: int = 0

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.layers(x)

def fit(model, x, steps):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    history = History([])
    for _ in range(steps):
        loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.losses.append(loss.item())
        history.steps += 1
    return history

class Squares(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, i):
        return torch.tensor([i * i])

def square(n):
    return n * n

table = torch.zeros(4)
part = table[1:]
"""

TRAINED = """%%kubetrain --returns model,history,x,y,table,part,weight
part[0] = 5
assert table[1] == 5
torch.manual_seed(1)
model = Net(width=16)
x = torch.randn(32, 4)
history = fit(model, x, 20)
model.eval()
with torch.no_grad():
    y = model(x)
weight = model.layers[0].weight.data
"""

CAME_BACK = """
import pickle
assert type(model) is Net, type(model)
assert type(history) is History and history.steps == 20 and history.losses[-1] < history.losses[0]
with torch.no_grad():
    assert torch.equal(model(x), y)
part[1], before = 6, weight[0, 0].item()
weight[0, 0] = 7
assert table.tolist() == [0, 5, 6, 0] and model.layers[0].weight[0, 0] == 7
weight[0, 0] = before
again = pickle.loads(pickle.dumps(model))
assert type(again) is Net
with torch.no_grad():
    assert torch.equal(again(x), y)
"""

IN_THE_CELL = """%%kubetrain --returns tiny,told,x,y
from dataclasses import dataclass
import torch
from torch import nn

@dataclass
class Told:
    width: int
    tag: str = "from the cell"

class Tiny(nn.Module):
    def __init__(self, told):
        super().__init__()
        self.told = told
        self.layer = nn.Linear(3, told.width)

    def forward(self, x):
        return torch.tanh(self.layer(x))

told = Told(5)
tiny = Tiny(told)
x = torch.randn(7, 3)
with torch.no_grad():
    y = tiny(x)
"""

CAME_BACK_TOO = """
assert type(tiny) is Tiny and type(told) is Told and told == Told(5) and tiny.told == told
with torch.no_grad():
    assert torch.equal(tiny(x), y)
assert type(pickle.loads(pickle.dumps(tiny))) is Tiny
assert pickle.loads(pickle.dumps(told)) == told
"""

# `runs` counts how often the cell's own statements ran in this job, in whichever process.
WORKERS = """%%kubetrain --returns runs,sums,pooled,threes
import multiprocessing, os
from concurrent.futures import ProcessPoolExecutor

with open("runs", "a") as file:
    file.write("x")

class Cubes(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.tensor([i ** 3])

sums = {}
for method in ("fork", "spawn", "forkserver"):
    for data in (Squares(), Cubes()):
        loader = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context=method)
        sums[method, type(data).__name__] = int(sum(batch.sum() for batch in loader))
pooled = {}
for method in ("fork", "spawn"):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        pooled[method] = list(pool.map(square, range(5)))
def three(n):
    return 3 * n
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
    threes = list(pool.map(three, range(3)))
runs = open("runs").read()
"""

RAN_ONCE = """
assert runs == "x", runs
assert set(sums) == {(m, d) for m in ("fork", "spawn", "forkserver") for d in ("Squares", "Cubes")}
assert {total for (_, data), total in sums.items() if data == "Squares"} == {1240}
assert {total for (_, data), total in sums.items() if data == "Cubes"} == {784}
assert pooled == {"fork": [0, 1, 4, 9, 16], "spawn": [0, 1, 4, 9, 16]}
assert threes == [0, 3, 6]
"""

CELLS = ["%load_ext kube_magics", EARLIER, TRAINED, CAME_BACK, IN_THE_CELL, CAME_BACK_TOO, WORKERS, RAN_ONCE]


@pytest.mark.timeout(300)
def test_torch(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in CELLS])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "torch_cells.ipynb")
    variables = {"KUBE_MAGICS_IMAGE": cluster.images.torch, "KUBE_MAGICS_NOTEBOOK": "torch_cells.ipynb"}
    passed, log = run_inside("torch_cells.ipynb", cluster, namespace, variables, tmp_path)
    assert passed, plain(log)
    jobs = namespace.kubectl.get("jobs")["items"]
    assert len(jobs) == 3
