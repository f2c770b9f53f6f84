"""GPUs on a machine without GPUs, from end to end as on a real node.

Here: a device plugin that gives the kubelet eight devices, a stand-in for NVIDIA's management library that lands in
each GPU pod and reads its numbers from a file, and the labels that GPU feature discovery would write. Not here: CUDA.
May import nothing of the cluster but its paths and its process table.
"""
