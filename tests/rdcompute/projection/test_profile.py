"""Profiles: those that are shipped, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdcompute.projection.profile import find_profile, load_profile, profile_names, shipped_profiles
from rdstats.errors import InputError

GOOD = """\
name: mine
device: Mine, 8 GB
source: its data sheet
peak_tflops: {fp32: 10}
memory_bandwidth_gb_per_s: 400
memory_gb: 8
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    return path


def test_every_shipped_device_has_a_peak_a_source_and_its_own_name() -> None:
    names = {"h100-sxm", "h100-pcie", "a100-40gb", "v100", "t4", "l4", "rtx-4090", "rtx-3090"}
    assert set(shipped_profiles()) == names
    assert set(profile_names()) == names | {"cpu"}
    for name in names:
        profile = load_profile(name)
        assert profile.name == name
        assert "NVIDIA" in profile.source
        assert "fp32" in profile.peak_tflops
        rates = [profile.peak_tflops[p] for p in ("fp32", "tf32", "bf16") if p in profile.peak_tflops]
        assert rates == sorted(rates)


def test_a_file_of_ones_own(mine: Path) -> None:
    profile = load_profile(str(mine))
    assert (profile.name, profile.memory_gb, profile.launch_us) == ("mine", 8, 10)
    assert profile.bandwidth == 400e9 * profile.bandwidth_share


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("memory_gb: 8", "memory_gb: -8", ":6:1: memory_gb: got -8; input should be greater than 0"),
        ("memory_gb: 8", "memory_gb: eight", ":6:1: memory_gb: got 'eight'; a number is accepted"),
        ("memory_gb: 8\n", "", "memory_gb: is needed and not there"),
        ("memory_gb: 8", "memory_gib: 8", "unknown key 'memory_gib' (did you mean 'memory_gb'?); known are"),
        ("{fp32: 10}", "{fp64: 10}", "input should be 'fp32', 'tf32' or 'bf16'"),
        ("{fp32: 10}", "{}", "peak_tflops"),
        ("memory_gb: 8", "memory_gb: 8\nhost_cores: 257", "host_cores: got 257; input should be less than or equal"),
        (GOOD, "", "no device profile; name, device, source, peak_tflops"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(mine: Path, old: str, new: str, message: str) -> None:
    mine.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as error:
        load_profile(str(mine))
    assert message in str(error.value)
    assert str(error.value).startswith(str(mine))
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_those_that_are_known() -> None:
    with pytest.raises(InputError, match=r"h100_sxm: no such profile or file \(did you mean 'h100-sxm'\?\); there are"):
        load_profile("h100_sxm")


def test_a_precision_that_the_device_has_not() -> None:
    with pytest.raises(InputError, match=r"device profile v100: peak_tflops has no bf16, .*; it has fp32"):
        load_profile("v100").check("bf16")


@pytest.mark.parametrize(
    ("workers", "per_device", "expected"),
    [(1, 1, [0]), (1, 3, [0]), ("auto", 3, [0, 0, 0]), (4, 2, [0, 1, 0, 1]), (5, 2, [0, 1, 2, 0, 1])],
)
def test_workers_are_spread_over_as_many_devices_as_they_need(workers, per_device, expected) -> None:
    profile, devices = find_profile("t4", workers, per_device)
    assert profile is not None
    assert devices == tuple(f"t4:{i}" for i in expected)


def test_the_cpu_is_no_file() -> None:
    assert find_profile("cpu", 2, 1) == (None, ("cpu", "cpu"))
