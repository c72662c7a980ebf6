"""The roofline, with numbers made up so that it can be done by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rdcompute.projection.cpu_rates import CpuRates, mean_rates
from rdcompute.projection.model import ARITHMETIC, CALLS, LAUNCHES, MEMORY, SHORT, cpu_cost, gpu_cost
from rdcompute.projection.operations import Operation
from rdcompute.projection.profile import DeviceProfile, load_profile, shipped_profiles
from rdcompute.projection.work import Work

GPU = DeviceProfile.model_validate({
    "name": "toy", "device": "toy", "source": "made up", "peak_tflops": {"fp32": 1, "bf16": 4},
    "memory_bandwidth_gb_per_s": 100, "memory_gb": 10, "matrix_share": {"fp32": 0.5, "bf16": 0.5},
    "tile_columns": {"fp32": 32, "bf16": 64}, "bandwidth_share": 0.5, "smallest_kernel_us": 2, "launch_us": 5,
    "host_cores": 4,
})  # fmt: skip
HEAVY = Operation("mm", "gemm", 1e9, 1e3, 1, (32, 64, 1))  # 1e9/0.5e12 = 2 ms
NARROW = Operation("convolution forward", "conv", 1e9, 1e3, 1, (0, 3, 16, 8, 3, 1, 1, 1))  # half of a tile: 4 ms
WIDE = Operation("add", "map", 0.0, 5e7)  # 5e7/50e9 = 1 ms
TINY = Operation("add_", "inplace", 0.0, 8.0)  # 2 us
MANY = Operation("_foreach_add_", "multi", 0.0, 8.0, 3)  # 6 us


def test_every_operation_takes_the_longest_of_three() -> None:
    cost = gpu_cost([HEAVY, NARROW, WIDE, TINY, MANY], GPU, "fp32")
    assert cost.shares == pytest.approx({ARITHMETIC: 6e-3, MEMORY: 1e-3, SHORT: 8e-6})
    assert cost.device == pytest.approx(7.008e-3)
    assert (cost.n_launches, cost.host) == (7, pytest.approx(35e-6))
    assert cost.bound == ARITHMETIC
    assert cost.seconds() == cost.device


def test_precision_has_its_own_peak_and_tiles() -> None:
    assert gpu_cost([HEAVY], GPU, "bf16").device == pytest.approx(1e9 / (2e12 * 0.5))  # 32 of 64 columns
    assert gpu_cost([NARROW], GPU, "bf16").device == pytest.approx(1e9 / (2e12 * 0.25))


def test_short_kernels_are_bound_by_their_launches() -> None:
    cost = gpu_cost([TINY] * 10, GPU, "fp32")
    assert (cost.device, cost.host) == (pytest.approx(20e-6), pytest.approx(50e-6))
    assert cost.bound == LAUNCHES
    assert gpu_cost([WIDE, TINY], GPU, "fp32").bound == MEMORY


def test_workers_share_the_device_until_it_is_busy() -> None:
    cost = gpu_cost([TINY] * 10, GPU, "fp32")  # 20 us of the device, 50 us of the host
    seconds = [cost.seconds(k, GPU.host_cores) for k in range(1, 9)]
    assert seconds == pytest.approx([50e-6, 50e-6, 60e-6, 80e-6, 100e-6, 120e-6, 140e-6, 160e-6])
    pace = [k / each for k, each in enumerate(seconds, start=1)]
    assert all(after >= before * (1 - 1e-12) for before, after in pairwise(pace))
    assert pace[2] == pytest.approx(pace[-1])  # busy
    long_host = gpu_cost([MANY] * 10, DeviceProfile(**GPU.model_dump() | {"launch_us": 50}), "fp32")
    assert long_host.seconds(8, 4) == pytest.approx(2 * long_host.host)  # two workers a core


@pytest.mark.parametrize("field", ["peak_tflops", "memory_bandwidth_gb_per_s"])
def test_a_faster_device_is_not_slower(resnet20: Work, field: str) -> None:
    before = load_profile("v100")
    value = getattr(before, field)
    more = {"fp32": 2 * value["fp32"]} if isinstance(value, dict) else 2 * value
    faster = before.model_copy(update={field: more})
    assert gpu_cost(resnet20.step, faster, "fp32").device < gpu_cost(resnet20.step, before, "fp32").device


def test_shipped_devices_in_the_order_that_they_have(resnet20: Work, lenet: Work) -> None:
    seconds = {name: gpu_cost(resnet20.step, load_profile(name), "fp32").device for name in shipped_profiles()}
    assert seconds["h100-sxm"] < seconds["h100-pcie"] < seconds["a100-40gb"] < seconds["t4"]
    assert gpu_cost(lenet.step, load_profile("h100-sxm"), "fp32").bound == LAUNCHES


def test_rates_of_the_cpu_between_and_beyond_what_was_measured() -> None:
    rates = CpuRates(1e-6, {("map",): ((100.0, 1e-6), (10_000.0, 1e-4)), ("gemm", 2, 3, 4): ((48.0, 1e-5),)})
    for amount, seconds in ((10, 1e-6), (100, 1e-6), (1000, 1e-5), (10_000, 1e-4), (30_000, 3e-4)):
        assert rates.seconds(Operation("add", "map", 0.0, amount)) == pytest.approx(seconds)
    product = Operation("mm", "gemm", 96.0, 1.0, 1, (2, 3, 4))
    assert rates.seconds(product) == pytest.approx(2e-5)
    cost = cpu_cost([Operation("add", "map", 0.0, 1000.0), product], rates)
    assert cost.shares == pytest.approx({MEMORY: 1e-5, ARITHMETIC: 2e-5, CALLS: 2e-6})
    assert (cost.seconds(), cost.bound) == (pytest.approx(3.2e-5), ARITHMETIC)


def test_the_mean_of_several_processes() -> None:
    one, two = (CpuRates(call, {("map",): ((100.0, seconds),)}) for call, seconds in ((1.0, 3.0), (3.0, 5.0)))
    assert mean_rates([one, two]) == CpuRates(2.0, {("map",): ((100.0, 4.0),)})
