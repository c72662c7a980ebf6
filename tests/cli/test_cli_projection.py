"""`rd plan --device-profile`: a grid on hardware that is not here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rdcompute.projection import cpu_bench

SMALL = """\
name: small
seeds: 4
ratio: [2, 4]
experiments: [{dataset: digits, arch: lenet, method: [sham, mp]}]
training: {lenet: {train: [3, 0.05], finetune: [2, 0.05]}}
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def document(rd) -> dict:
    return json.loads(rd.stdout, parse_constant=lambda word: pytest.fail(word))


def test_the_whole_paper_without_any_dataset(rd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--device-profile", "h100-sxm", "--data-dir", tmp_path, "--workers", "8", "--workers-per-device", "2")
    assert rd("plan", "paper.yaml", *options) == 0
    assert rd.stderr == ""
    assert max(map(len, rd.stdout.splitlines())) <= 80
    text = " ".join(rd.stdout.split())
    for words in (
        "2880 cells", "device hours", "with 8 workers on h100-sxm, as projected below, give or take a factor of 2",
        "projected, not measured", "3,350 GB/s", "launch_us 10: ", "of that kind, 2 workers on each", "images 606",
        "images/s of each of 2 workers",
    ):  # fmt: skip
        assert words in text
    assert "not on this machine" not in text
    assert re.search(r"^mnist +lenet +[0-9.]+ +[0-9.]+ +[0-9.]+ +launches +[0-9,]+$", rd.stdout, re.MULTILINE)
    assert re.search(r"^devices +1 +2 +4 +8\ntime +[0-9]", rd.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_for_programs(rd, small: Path) -> None:
    assert rd("plan", small, "--device-profile", "t4", "--format", "json") == 0
    found = document(rd)
    projection = found["projection"]
    assert (projection["device"], projection["workers_per_device"]) == ("t4", 1)
    assert projection["figures"]["peak_tflops"] == {"fp32": 8.1}
    assert {"launch_us", "bandwidth_share", "matrix_share"} <= {one["name"] for one in projection["assumptions"]}
    (network,) = projection["networks"]
    assert network["bound_by"] == "launches"
    assert network["step_seconds"] == max(network["device_seconds"], network["host_seconds"])
    assert network["host_seconds"] == pytest.approx(network["launches_a_step"] * 10e-6)
    assert sum(network["device_shares"].values()) == pytest.approx(network["device_seconds"])
    assert found["seconds"] == projection["seconds_by_devices"][0]["seconds"]
    assert found["devices"] == ["t4:0"]
    assert rd("plan", small, "--device-profile", "t4", "--format", "json", "--workers", "auto",
              "--workers-per-device", "4") == 0  # fmt: skip
    assert document(rd)["devices"] == ["t4:0"] * 4
    assert rd("plan", small, "--no-calibrate", "--format", "json") == 0
    assert document(rd)["projection"] is None


def test_a_profile_of_ones_own_changes_the_times(rd, small: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    text = "name: own\ndevice: Own\nsource: guessed\npeak_tflops: {fp32: 10}\nmemory_bandwidth_gb_per_s: 400\n"
    own.write_text(text + "memory_gb: 8\nlaunch_us: 100\n")
    seconds = []
    for profile in ("t4", own):
        assert rd("plan", small, "--device-profile", profile, "--format", "json") == 0
        seconds.append(document(rd)["projection"]["networks"][0]["host_seconds"])
    assert seconds[1] == pytest.approx(10 * seconds[0])
    own.write_text(text + "memory_gb: 8\nlaunch_us: fast\n")
    assert "own.yaml:7:1: launch_us: got 'fast'; a number is accepted" in rd.refused(
        "plan", small, "--device-profile", own
    )


def test_this_cpu(rd, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BYTES", (2**12, 2**14)), ("_LEAST", 1e-4), ("_MOST", 1e-3), ("_FLOPS", 1e6)):
        monkeypatch.setattr(cpu_bench, name, value)
    assert rd("plan", small, "--device-profile", "cpu") == 0
    assert rd.stderr == "timing operations, one by one\n"
    text = " ".join(rd.stdout.split())
    for words in ("core hours", "with 1 worker on cpu, as projected below", "a core of this machine", "measured: "):
        assert words in text
    assert max(map(len, rd.stdout.splitlines())) <= 80


def test_what_is_known_and_what_is_refused(rd, small: Path) -> None:
    assert rd("plan", small, "--device-profile", "list") == 0
    assert rd.stdout.splitlines()[0].startswith("cpu ")
    assert "h100-sxm" in rd.stdout
    assert "there are cpu, a100-40gb" in rd.refused("plan", small, "--device-profile", "h200")
    for option in (("--device", "cpu"), ("--no-calibrate",)):
        assert f"what {option[0]} is about" in rd.refused("plan", small, "--device-profile", "t4", *option)
    assert "--workers 0" in rd.refused("plan", small, "--device-profile", "t4", "--workers", "0")
    assert "--workers-per-device 0" in rd.refused(
        "plan", small, "--device-profile", "t4", "--workers-per-device", "0"
    )
