from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import filters


@dataclass(order=True)
class Peak:
    index: int
    height: float
    rate: int = 100

    @property
    def time(self) -> float:
        return self.index / self.rate


def find_peaks(x, threshold, rate):
    high = filters.above(x, threshold * x.max())
    inner = np.flatnonzero(high[1:-1] & (x[1:-1] >= x[:-2]) & (x[1:-1] > x[2:])) + 1
    kept = []
    for i in inner.tolist():
        if not kept or i - kept[-1].index > rate // 3:
            kept.append(Peak(i, float(x[i]), rate))
    return kept
