import numpy as np

try:
    from helpers import COUNTER
except ImportError:
    COUNTER = None


def smooth(x, window):
    if COUNTER is not None:
        COUNTER["smooth"] += 1
    return np.convolve(x, np.ones(window) / window, mode="same")


def detrend(x):
    t = np.arange(len(x))
    return x - np.polyval(np.polyfit(t, x, 3), t)


def above(x, level):
    return x > level
