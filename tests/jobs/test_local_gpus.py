"""GPUs of this machine for local jobs: real NVML calls, answered by the stub library of the test cluster."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kube_magics.backends import machine
from kube_magics.backends.jobfolder import END, FACTS
from kube_magics.backends.local import LocalBackend
from kube_magics.runner.nvml import LIBRARIES
from tests.cluster.gpu import numbers
from tests.cluster.gpu.stub import build
from tests.kernel import Kernel

pytestmark = [
    pytest.mark.jobs,
    pytest.mark.skipif(
        sys.platform != "linux" or not shutil.which("cc"), reason="the NVML stub needs Linux and a C compiler"
    ),
]
SHOW = "import os\nseen = os.environ.get('CUDA_VISIBLE_DEVICES', 'unset').split(',')"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gpus")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    library = build(folder)
    shown = folder / "numbers"
    numbers.write(shown, numbers.idle())
    environment = {
        "KUBE_MAGICS_BACKEND": "local",
        "KUBE_MAGICS_STATE": str(folder / "state"),
        "LD_LIBRARY_PATH": str(library.parent),
        "KUBE_MAGICS_NVML_NUMBERS": str(shown),
        "NVIDIA_VISIBLE_DEVICES": "all",
    }
    with Kernel(folder, environment) as made:
        assert made.run("%load_ext kube_magics").error is None
        yield made


def test_two_jobs_at_once_get_different_devices(kernel: Kernel) -> None:
    started = kernel.run(
        "import kube_magics\n"
        "def hold():\n    import os, time\n"
        "    while not os.path.exists('release'):\n        time.sleep(0.05)\n"
        "    return os.environ['CUDA_VISIBLE_DEVICES']\n"
        "first = kube_magics.train(hold, gpus=3)"
    )
    assert started.error is None, started
    second = kernel.run(f"%%kubetrain --gpus 5 --returns seen\n{SHOW}")
    assert second.error is None, second
    refused = kernel.run(f"%%kubetrain --gpus 6 --returns seen\n{SHOW}")
    assert refused.error == "SubmitError", refused
    assert "5 are free" in refused.message
    kernel.run("open('release', 'w').close()")
    both = kernel.value("sorted(first.result().split(',') + seen)")
    assert both.count("GPU-") == 8
    assert kernel.value("len(set(first.result().split(',') + seen))") == "8"


def test_a_job_that_asks_for_none_sees_none(kernel: Kernel) -> None:
    """As on a cluster; who says which by `--env` is believed."""
    assert kernel.run("%env CUDA_VISIBLE_DEVICES=0,1").error is None
    ran = kernel.run(f"%%kubetrain --returns seen\n{SHOW}")
    assert ran.error is None, ran
    assert kernel.value("seen") == "['']"
    ran = kernel.run(f"%%kubetrain --env CUDA_VISIBLE_DEVICES=1 --returns seen\n{SHOW}")
    assert ran.error is None, ran
    assert kernel.value("seen") == "['1']"


def test_more_than_there_are_is_refused_with_the_number_that_there_is(kernel: Kernel) -> None:
    ran = kernel.run(f"%%kubetrain --gpus 9\n{SHOW}")
    assert ran.error == "SubmitError"
    assert "8 GPUs" in ran.message


def test_gpus_lists_the_machine(kernel: Kernel) -> None:
    assert "this machine" in kernel.run("%kube gpus").text


def test_a_device_of_the_notebook_alone_is_free_and_one_of_others_is_not(kernel: Kernel, folder: Path) -> None:
    other = os.getpid()
    first, second, third = numbers.idle(3).devices
    own = dataclasses.replace(first, processes=f"{kernel.pid}:4096")
    taken = dataclasses.replace(second, processes=f"{other}:4096 {kernel.pid}:4096")
    numbers.write(folder / "numbers", numbers.Numbers([own, taken, third]))
    try:
        assert kernel.run(f"%%kubetrain --gpus 1 --new --returns seen\n{SHOW}").error is None
        assert kernel.value("seen") == repr([third.uuid])
        assert kernel.run(f"%%kubetrain --gpus 2 --new --returns seen\n{SHOW}").error is None
        assert kernel.value("seen") == repr([third.uuid, own.uuid])
        refused = kernel.run(f"%%kubetrain --gpus 3 --new\n{SHOW}")
    finally:
        numbers.write(folder / "numbers", numbers.idle())
    assert refused.error == "SubmitError"
    assert "3 of this machine's 3 GPUs, and 2 are free" in refused.message
    assert "GPU 1: " in refused.message
    assert f"(process {other})" in refused.message
    assert f"(process {kernel.pid})" not in refused.message


def test_memory_is_what_programs_have(folder: Path, kernel: Kernel) -> None:
    """As nvidia-smi counts it: without what the driver keeps for itself."""
    (device,) = numbers.idle(1).devices
    used = dataclasses.replace(device, memory_used=3 * 1024**3, utilisation=41)
    numbers.write(folder / "used", numbers.Numbers([used]))
    code = "from kube_magics.runner import nvml\nprint(nvml.Nvml().read([0]))"
    stub = {"LD_LIBRARY_PATH": str(build(folder).parent), "KUBE_MAGICS_NVML_NUMBERS": str(folder / "used")}
    env = {**os.environ, **stub, "NVIDIA_VISIBLE_DEVICES": "all"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True, text=True)
    assert done.stdout == f"[[41, {3 * 1024**3}, {81559 * 1024**2}, 71.0, 31]]\n"


@pytest.mark.long
def test_parts_of_a_gpu_are_given_out_and_shown(folder: Path, kernel: Kernel) -> None:
    """Each job has its own; of its use NVML tells the memory."""
    numbers.write(
        folder / "numbers", numbers.Numbers([*numbers.divided(0, [2**30, 2**31]), numbers.idle(4).devices[3]])
    )
    try:
        ran = kernel.run(f"%%kubetrain --gpus 2 --new --returns seen\n{SHOW}\nimport time\ntime.sleep(8)")
        listed = kernel.run("%kube gpus").text
    finally:
        numbers.write(folder / "numbers", numbers.idle())
    assert ran.error is None, ran
    assert kernel.value("seen").count("MIG-") == 2
    card = ran.cards[-1]["text/plain"]
    assert re.search(r"^  GPU 0 NVIDIA H100 80GB HBM3 MIG 1g\.10gb +·+ +unknown", card, re.MULTILINE), card
    assert re.search(r"^  GPU 1 memory .* 2\.1 GB +10\.5 GB", card, re.MULTILINE), card
    assert "idle GPU-hours  unknown" in card
    assert re.search(r"this machine .* 3 +0 +3", listed), listed


def test_a_job_that_has_told_its_end_holds_no_device(tmp_path: Path) -> None:
    home = tmp_path / "ending"
    home.mkdir()
    alive = {"pid": os.getpid(), "pid_started": machine.process_started(os.getpid())}
    (home / FACTS).write_text(json.dumps({**alive, "devices": ["GPU-a"]}))
    (home / END).touch()
    backend = LocalBackend("asked", tmp_path)
    assert backend._devices_in_use() == {"GPU-a"}
    (home / END).write_text('{"e": "end", "code": 0}')
    assert backend._devices_in_use() == set()


def test_without_gpus_the_job_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    for name in LIBRARIES:  # so that a driver of this machine is not found either
        (tmp_path / name).write_text("no library")
    environment = {
        "KUBE_MAGICS_BACKEND": "local",
        "KUBE_MAGICS_STATE": str(tmp_path),
        "LD_LIBRARY_PATH": str(tmp_path),
    }
    with Kernel(tmp_path, environment) as kernel:
        kernel.run("%load_ext kube_magics")
        refused = kernel.run(f"%%kubetrain --gpus 1\n{SHOW}")
        assert refused.error == "SubmitError", refused
        assert "no NVIDIA GPU" in refused.message
        ran = kernel.run(f"%%kubetrain --gpus 1 --cpu-ok --returns seen\n{SHOW}")
        assert ran.error is None
        assert "GPU" not in ran.cards[-1]["text/plain"]
        assert kernel.value("seen") == "['']"
