"""What single operations take on a core of this machine: the CPU's place of a data sheet."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rdcompute.projection.operations import MATRIX, Operation

Key = tuple[Any, ...]
Rates = dict[Key, tuple[tuple[float, float], ...]]
"""By kind of operation (and its shape): amounts (flops or bytes) and the seconds they take."""


def key_of(one: Operation) -> Key:
    """Return what decides the rate of an operation: its kind and, of convolutions and matrices, its shape."""
    return (one.kind, *(one.sizes[:-1] if one.kind in ("conv", "bias") else one.sizes))


def amount_of(one: Operation) -> float:
    return one.flops if one.kind in MATRIX else one.n_bytes


@dataclass(frozen=True)
class CpuRates:
    """Measured rates of operations, and the seconds that calling one takes beside (Python, autograd, dispatch)."""

    call: float
    rates: Rates = field(default_factory=dict)

    def seconds(self, one: Operation) -> float:
        """Return the seconds of an operation without those of calling it.

        Between two measured amounts, the logarithm of the time is linear in that of the amount; beyond the last, and
        where one was measured, time is proportional to the amount; below the first, it is that of the first.
        """
        points = self.rates[key_of(one)]
        amount = amount_of(one)
        at = bisect.bisect_left(points, (amount, 0.0))
        if at == 0 and len(points) > 1:
            return points[0][1]
        if at == len(points) or len(points) == 1:
            return points[-1][1] * amount / points[-1][0]
        (x0, y0), (x1, y1) = points[at - 1 : at + 1]
        share = math.log(amount / x0) / math.log(x1 / x0)
        return float(y0 * (y1 / y0) ** share)


def mean_rates(found: Sequence[CpuRates]) -> CpuRates:
    """Return the means of what several processes have measured at once."""
    rates: Rates = {}
    for key, points in found[0].rates.items():
        own = [one.rates[key] for one in found]
        rates[key] = tuple(
            (amount, statistics.fmean(other[i][1] for other in own)) for i, (amount, _) in enumerate(points)
        )
    return CpuRates(statistics.fmean(one.call for one in found), rates)
