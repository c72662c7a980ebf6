"""With what cells were computed: device, versions, commit, host, time."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rdcompute.plan import Plan
from rdcompute.rundir import RunDirectory
from rdcompute.training_settings import TrainingSettings
from rdstats._version import __version__


def circumstances(device: str) -> dict[str, Any]:
    """Return what a cell is computed with: device and its name, versions, commit, host."""
    versions = {name: version(name) for name in ("torch", "numpy")}
    versions |= {"rd": __version__, "python": platform.python_version()}
    kind = device.partition(":")[0]
    return {
        "device": kind,
        "device_name": device_name(device),
        "versions": versions,
        "git_commit": git_commit(),
        "host": socket.gethostname(),
    }


def determinism(settings: TrainingSettings) -> dict[str, Any]:
    """Return what decides about the bits of a cell's training, while it is computed (`precision.arithmetic`)."""
    import torch

    from rdcompute.precision import in_steps

    cudnn = torch.backends.cudnn
    with in_steps(settings):
        return {
            "threads": torch.get_num_threads(),
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
            "cudnn_deterministic": cudnn.deterministic,
            "cudnn_benchmark": cudnn.benchmark,
            "precision": settings.precision,
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "cudnn_allow_tf32": cudnn.allow_tf32,
            "compile": settings.compile,
            "cublas_workspace_config": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        }


def device_name(device: str) -> str:
    """Return the model of a device: of the GPU, or of the processor where the system tells."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def described(devices: Sequence[str]) -> dict[str, str]:
    """Return the circumstances of a run in words, by name."""
    made = circumstances(devices[0])
    names = [f"{kind} ({device_name(kind)})" for kind in dict.fromkeys(devices)]
    found = {"workers": str(len(devices)), "on": ", ".join(names), **made["versions"]}
    return {**found, "commit": made["git_commit"] or "none", "host": made["host"]}


def run_history(plan: Plan, run: RunDirectory, device: str) -> dict[str, Any]:
    """Return with what the finished cells were computed: values that differ between cells stand side by side.

    `device` is where nothing is finished.
    """
    found: dict[str, dict[str, None]] = {}
    for cell in plan.cells:
        for name, value in _flat(run.readable(cell.key).get("made", {})):
            found.setdefault(name, {})[value] = None
    if not found:
        found = {name: {value: None} for name, value in _flat(circumstances(device))}
    joined = {name: ", ".join(sorted(values)) for name, values in found.items()}
    grouped: dict[str, dict[str, str]] = {group: {} for group in _GROUPS}
    for name, text in joined.items():
        group, dot, own = name.partition(".")
        if dot:
            grouped[group][own] = text
    return {**joined, **grouped}


_GROUPS = ("versions", "determinism")


def _flat(made: Any) -> list[tuple[str, str]]:
    """Return circumstances by name, ``versions.torch``; what somebody else wrote into a twin is passed over."""
    if not isinstance(made, dict):
        return []
    groups = {group: made[group] for group in _GROUPS if isinstance(made.get(group), dict)}
    inside = [(f"{group}.{name}", str(value)) for group, own in groups.items() for name, value in own.items()]
    return [(name, str(value)) for name, value in made.items() if name not in _GROUPS and "." not in name] + inside


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def timestamp(time: str) -> float:
    """Return what `now` returned as seconds since 1970-01-01 00:00 UTC."""
    return datetime.fromisoformat(time).timestamp()


def git_commit() -> str:
    """Return the commit of the source checkout this package runs from, with ``-dirty``; "" if installed."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return ""
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        commit = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True, env=environment,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit.stdout.strip()
