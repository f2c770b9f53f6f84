"""What only a real NVIDIA GPU can show: jobs on this machine that compute on it, and what is read of it meanwhile.

They need a driver, `nvidia-smi`, and a torch with CUDA in the Python that runs the tests; elsewhere one line says that
they were skipped. The pretended GPUs of tests/cluster are none: they run no program.
"""
