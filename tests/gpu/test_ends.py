"""How a job on a GPU ends: its exception arrives, and nothing of it is left on the device."""

from __future__ import annotations

import os
import re
import signal
import time

import pytest

from tests.gpu import device
from tests.gpu.notebook import Notebook, eventually

pytestmark = [pytest.mark.gpu, pytest.mark.alone]

# A kernel of ten minutes: nothing that Python or the driver could interrupt.
HANGS = """
import torch
held = torch.zeros(2**30, dtype=torch.uint8, device="cuda")
torch.cuda.synchronize()
print("hangs", flush=True)
for _ in range(100):
    torch.cuda._sleep(10**10)
torch.cuda.synchronize()
"""


def free_again(before: int) -> None:
    """No process computes, and the memory is as it was."""
    eventually(lambda: not device.processes(), f"no process on the device; there are {device.processes()}")
    eventually(lambda: device.used_bytes() <= before + 8 * device.MEBIBYTE, f"{before} bytes used")


def test_out_of_memory_is_the_exception_of_torch(dark: Notebook) -> None:
    ran = dark.kernel.run("%%kubetrain --gpus 1 --name oom\nimport torch\ntorch.empty(10**13, device='cuda')")
    assert ran.error == "OutOfMemoryError", ran
    assert "CUDA out of memory. Tried to allocate" in ran.message
    end = dark.log("oom").end
    assert (end["reason"], end["code"], end["signal"]) == ("failed", 1, None)


def test_an_assertion_on_the_device_is_an_exception_and_the_next_job_is_sound(dark: Notebook) -> None:
    before = device.used_bytes()
    broken = "torch.zeros(4, device='cuda')[torch.tensor([9], device='cuda')]\ntorch.cuda.synchronize()"
    ran = dark.kernel.run(f"%%kubetrain --gpus 1 --name broken\nimport torch\n{broken}")
    assert ran.error in ("AcceleratorError", "RuntimeError"), ran
    assert "device-side assert triggered" in ran.message
    end = dark.log("broken").end
    print(f"a device-side assert: {ran.error}, {end}")
    assert end["reason"] in ("failed", "signal")
    free_again(before)
    dark.right("%%kubetrain --gpus 1 --returns total\nimport torch\ntotal = torch.ones(8, device='cuda').sum().item()")
    assert dark.value("total") == 8


def test_a_job_that_hangs_in_a_kernel_is_stopped_and_its_memory_free(dark: Notebook) -> None:
    before = device.used_bytes()
    dark.right(f"%%kubetrain --gpus 1 --name hangs --grace 6 --detach\n{HANGS}")
    dark.says("hangs", b"hangs")
    assert device.used_bytes() > before + device.GIBIBYTE
    dark.right("%kube stop hangs")
    began = time.monotonic()
    eventually(lambda: dark.log("hangs").all("end"), "the end of the job")
    print(f"a job in a kernel ended {time.monotonic() - began:.1f} s after its stop: {dark.log('hangs').end}")
    assert dark.log("hangs").end["reason"] == "stopped"
    free_again(before)


def test_interrupted_twice_it_is_stopped(dark: Notebook) -> None:
    before = device.used_bytes()
    running = dark.kernel.send(f"%%kubetrain --gpus 1 --name pressed --grace 6\n{HANGS}")
    eventually(lambda: "hangs\n" in dark.kernel.peek(running).stdout, "the job's first line")
    dark.kernel.interrupt()
    eventually(lambda: "interrupt again" in str(dark.kernel.peek(running).shown), "the question")
    time.sleep(0.6)
    dark.kernel.interrupt()
    assert dark.kernel.finish(running).error == "JobStopped"
    free_again(before)


def test_a_runner_that_is_killed_leaves_nothing_on_the_device(dark: Notebook) -> None:
    before = device.used_bytes()
    dark.right(f"%%kubetrain --gpus 1 --name orphan --detach\n{HANGS}")
    dark.says("orphan", b"hangs")
    os.kill(dark.runner("orphan"), signal.SIGKILL)
    free_again(before)


def test_a_job_on_the_device_keeps_others_from_it(dark: Notebook) -> None:
    dark.right(
        "def hold():\n    import os, time, torch\n    held = torch.ones(8, device='cuda')\n    print('holds', flush=True)\n"
        "    while not os.path.exists('release'):\n        time.sleep(0.05)\n    return held.sum().item()\n"
        "first = kube_magics.train(hold, gpus=1, name='first')"
    )
    dark.says("first", b"holds")
    pids = device.processes()
    refused = dark.kernel.run("%%kubetrain --gpus 1\nprint('second')")
    assert refused.error == "SubmitError", refused
    assert "1 of this machine's 1 GPU, and 0 are free" in refused.message
    assert all(f"(process {pid})" in refused.traceback for pid in pids), (pids, refused.traceback)
    assert re.search(r"this machine .* 1 +1 +0", dark.right("%kube gpus").text)
    dark.right("open('release', 'w').close()")
    assert dark.value("first.result()") == 8


def test_a_process_of_somebody_else_keeps_jobs_from_the_device(dark: Notebook) -> None:
    with device.held() as process:
        refused = dark.kernel.run("%%kubetrain --gpus 1 --new\nprint('beside')")
        assert refused.error == "SubmitError", refused
        assert f"(process {process.pid})" in refused.traceback, (process.pid, device.processes(), refused.traceback)
    eventually(lambda: not device.processes(), "no process on the device")
    assert "beside" in dark.right("%%kubetrain --gpus 1 --new\nprint('beside')").stdout
