r"""How long work takes on a device: a roofline for every operation.

On a GPU, an operation that does F floating-point operations and moves B bytes takes

    d = max(F/(p u(n)), B/b, k),   u(n) = n/(c ceil(n/c)),

p the part of the peak that matrices reach, n the smaller side of the result's matrix (channels) and c the columns of a
tile, b the part of the memory's bandwidth that is reached, k what the shortest kernel takes.  A step takes D = \sum d
of the device and H = n_launches h of the host, side by side: max(D, H).  Of K workers on one device, times of the
device add up and times of the host do not, as long as each has a core (C of them):

    step = max(K D, H max(1, K/C)).

On the CPU there is one clock: step = \sum (t_op + t_call), t_op measured operation by operation on this machine.

What is left out: caches of the GPU (bytes that are still there cost less), kernels that overlap, time lost by switching
between workers, the choice of an algorithm by the library, clocks that change with temperature and power.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rdcompute.projection.cpu_rates import CpuRates
from rdcompute.projection.operations import MATRIX, Operation
from rdcompute.projection.profile import DeviceProfile, Precision

LAUNCHES, MEMORY, ARITHMETIC, SHORT, CALLS = "launches", "memory", "arithmetic", "latency", "calls"
"""What bounds operations; latency: that of kernels too short for anything else to count."""


@dataclass(frozen=True)
class Cost:
    """Seconds that some operations take of a device and of its host, and by what they are bound.

    Attributes
    ----------
    shares : seconds of the device, by what bounds its operations.
    n_launches : kernels.
    """

    device: float
    host: float
    shares: dict[str, float]
    n_launches: int

    @property
    def bound(self) -> str:
        """Return what takes the most: launches if the host takes longer than the device."""
        return LAUNCHES if self.host > self.device else max(self.shares, key=self.shares.__getitem__)

    def seconds(self, n_sharing: int = 1, n_cores: int = 1) -> float:
        """Return the seconds that one of `n_sharing` workers takes, all being busy (formula: this module's top)."""
        return max(n_sharing * self.device, self.host * max(1.0, n_sharing / n_cores))


def gpu_cost(operations: Iterable[Operation], profile: DeviceProfile, precision: Precision) -> Cost:
    """Return what operations take on a GPU."""
    profile.check(precision)
    shares = {MEMORY: 0.0, ARITHMETIC: 0.0, SHORT: 0.0}
    n_launches = 0
    for one in operations:
        seconds = {
            MEMORY: one.n_bytes / profile.bandwidth,
            ARITHMETIC: one.flops / profile.matrix_rate(precision, one.narrow) if one.kind in MATRIX else 0.0,
            SHORT: one.launches * profile.smallest_kernel_us * 1e-6,
        }
        bound = max(seconds, key=seconds.__getitem__)
        shares[bound] += seconds[bound]
        n_launches += one.launches
    return Cost(sum(shares.values()), n_launches * profile.launch_us * 1e-6, shares, n_launches)


def cpu_cost(operations: Iterable[Operation], rates: CpuRates) -> Cost:
    """Return what operations take on a core of the CPU, which is device and host in one."""
    shares = {MEMORY: 0.0, ARITHMETIC: 0.0, CALLS: 0.0}
    n_calls = 0
    for one in operations:
        shares[ARITHMETIC if one.kind in MATRIX else MEMORY] += rates.seconds(one)
        n_calls += 1
    shares[CALLS] = n_calls * rates.call
    return Cost(sum(shares.values()), 0.0, shares, n_calls)
