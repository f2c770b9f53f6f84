import numpy as np

from .filters import detrend


def power(x):
    return np.abs(np.fft.rfft(detrend(x)))[:20] ** 2 / len(x)
