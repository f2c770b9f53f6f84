"""A stop of PyTorch's own processes: a DataLoader's workers, and torchrun's; the program saves, and nothing is left."""

from __future__ import annotations

import psutil
import pytest

from tests.acceptance.desk import Desk, eventually
from tests.cluster import Cluster

pytestmark = [pytest.mark.jobs, pytest.mark.cluster]

IMPORTS_S = 200.0
"""Of patience: each process imports torch, side by side on one small node."""
DATA = """import os, pathlib, signal, sys, time
import torch
import kube_magics
from torch.utils.data import DataLoader, Dataset
class Endless(Dataset):
    def __len__(self):
        return 1_000_000
    def __getitem__(self, i):
        time.sleep(0.02)
        if kube_magics.should_stop():
            print('a worker knows', flush=True)
        return torch.tensor([i])
"""
ASKS = f"""{DATA}for n, batch in enumerate(DataLoader(Endless(), batch_size=2, num_workers=2)):
    if n == 0:
        kube_magics.should_stop()
        print('up', flush=True)
    elif kube_magics.should_stop():
        break
next(iter(DataLoader(Endless(), batch_size=2, num_workers=2)))  # its workers still work
torch.save(batch, 'model.pt')
print('saved', torch.load('model.pt').shape, flush=True)
"""
HANDLES = f"""{DATA}told = []
signal.signal(signal.SIGTERM, lambda *_: told.append('TERM'))
for n, batch in enumerate(DataLoader(Endless(), batch_size=2, num_workers=2, multiprocessing_context='spawn')):
    if n == 0:
        print('up', flush=True)
    if told:
        break
torch.save(batch, 'model.pt')
print('saved', told, flush=True)
"""
RANK = """import os, signal, sys, time
import torch
import torch.distributed as dist
import kube_magics
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append('TERM'))
dist.init_process_group('gloo')
rank = dist.get_rank()
print(f'up {rank}\\n', end='')  # in one piece: the output of ranks is one stream, and unbuffered
while True:
    wish = torch.tensor([float(kube_magics.should_stop())])
    dist.all_reduce(wish)
    if wish.item() == 2:
        break
    time.sleep(0.05)
until = time.monotonic() + 20
while not told and time.monotonic() < until:  # the signal comes after the wish, and over torchrun
    time.sleep(0.05)
if rank == 0:
    torch.save(wish, 'model.pt')
print(f'saved {rank} {told[:1]}\\n', end='')
"""
TORCHRUN = """import os, pathlib, subprocess, sys
pathlib.Path('{file}').write_text({rank!r})
# Debian's PyTorch is built without libuv, and torchrun's own TCP store insists on it.
os.environ.update(USE_LIBUV='0', TORCH_DISABLE_SHARE_RDZV_TCP_STORE='1')
meeting = ['--rdzv-backend=c10d', '--rdzv-conf=store_type=file', '--rdzv-id=1', '--local-addr=localhost']
torchrun = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node=2', *meeting]
subprocess.run([*torchrun, '{file}'], check=True)
"""


def begun(desk: Desk, cluster: Cluster, name: str, body: str, more: str = "") -> None:
    desk.right(f"%%kubetrain --detach --name {name} --cpus 200m --image {cluster.images.torch} {more}\n{body}")


def up(desk: Desk, name: str, *lines: str) -> None:
    eventually(lambda: all(line in desk.log(name) for line in lines), f"{lines} of {name}", IMPORTS_S)


def processes(text: str) -> list[int]:
    """Of this machine, which is the node: those that have `text` in their command line."""
    every = psutil.process_iter(["cmdline"])
    return [each.pid for each in every if any(text in word for word in each.info["cmdline"] or ())]


def test_a_loaders_workers_and_torchruns(there: Desk, cluster: Cluster) -> None:
    """should_stop() says so in every process of both, and each has the time to save."""
    begun(there, cluster, "asks", ASKS)
    begun(there, cluster, "ranks", TORCHRUN.format(file="train-ranks.py", rank=RANK))
    up(there, "asks", "up\n")
    up(there, "ranks", "up 0\n", "up 1\n")
    assert processes("train-ranks.py")
    there.right("%kube stop asks\n%kube stop ranks")
    for name in ("asks", "ranks"):
        assert there.run(f"%kube attach {name}").error == "JobStopped"
    assert "a worker knows\n" in there.log("asks")
    assert there.log("asks").endswith("saved torch.Size([2, 1])\n")
    for number in range(2):
        assert f"saved {number} ['TERM']\n" in there.log("ranks")
    eventually(lambda: not processes("train-ranks.py"), "the end of all its processes")
    for name in ("asks", "ranks"):
        there.right(f"%kube delete {name}")


@pytest.mark.long
def test_a_handler_and_ranks_that_do_not_listen(there: Desk, cluster: Cluster) -> None:
    begun(there, cluster, "handles", HANDLES)
    deaf = RANK.replace("if wish.item() == 2:", "if False:")
    begun(there, cluster, "deaf", TORCHRUN.format(file="train-deaf.py", rank=deaf), "--grace 4s")
    up(there, "handles", "up\n")
    up(there, "deaf", "up 0\n", "up 1\n")
    there.right("%kube stop handles\n%kube stop deaf")
    for name in ("handles", "deaf"):
        assert there.run(f"%kube attach {name}").error == "JobStopped"
    assert there.log("handles").endswith("saved ['TERM']\n")
    assert "saved" not in there.log("deaf")
    eventually(lambda: not processes("train-deaf.py"), "the end of all its processes")
    for name in ("handles", "deaf"):
        there.right(f"%kube delete {name}")
