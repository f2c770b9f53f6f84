"""The node labels that NVIDIA's GPU feature discovery writes for an H100 node."""

from __future__ import annotations

from .numbers import COUNT, PRODUCT, idle


def labels() -> dict[str, str]:
    major, minor, patch = idle().driver.split(".")
    cuda = idle().cuda
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": PRODUCT.replace(" ", "-"),
        "nvidia.com/gpu.count": str(COUNT),
        "nvidia.com/gpu.memory": "81559",
        "nvidia.com/gpu.family": "hopper",
        "nvidia.com/gpu.compute.major": "9",
        "nvidia.com/gpu.compute.minor": "0",
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/mig.capable": "true",
        "nvidia.com/cuda.driver.major": major,
        "nvidia.com/cuda.driver.minor": minor,
        "nvidia.com/cuda.driver.rev": patch,
        "nvidia.com/cuda.runtime.major": str(cuda // 1000),
        "nvidia.com/cuda.runtime.minor": str(cuda % 1000 // 10),
    }
