"""Odds and ends of the notebook."""

import functools
from collections import Counter

import numpy as np

__all__ = ["GAIN", "describe", "synth", "timed"]

GAIN = 1.5
COUNTER = Counter()


def synth(seconds, rate, seed):
    """A heart that beats 72 times a minute, with breathing and noise."""
    t = np.arange(seconds * rate) / rate
    beat = np.exp(-(((t * 1.2) % 1 - 0.5) ** 2) / 0.002)
    noise = np.random.default_rng(seed).standard_normal(len(t))
    return t, GAIN * beat + 0.3 * np.sin(2 * np.pi * 0.25 * t) + 0.05 * noise


def timed(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return fn(*args, **kwargs)

    wrapper.calls = 0
    return wrapper


@timed
def describe(values, name="x"):
    COUNTER["describe"] += 1
    return f"{name}: {len(values)} values, {np.mean(values):.4f} on average"
