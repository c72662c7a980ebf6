"""With what cells were computed: device, versions, commit, host, time."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rdcompute.plan import Plan
from rdcompute.rundir import RunDirectory
from rdstats._version import __version__


def circumstances(device: str) -> dict[str, Any]:
    """Return what a cell is computed with: device, versions, commit, and the host."""
    versions = {name: version(name) for name in ("torch", "numpy")}
    versions |= {"rd": __version__, "python": platform.python_version()}
    kind = device.partition(":")[0]
    return {"device": kind, "versions": versions, "git_commit": git_commit(), "host": socket.gethostname()}


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
    versions = {name.removeprefix("versions."): text for name, text in joined.items() if name.startswith("versions.")}
    return {**joined, "versions": versions}


def _flat(made: Mapping[str, Any]) -> list[tuple[str, str]]:
    versions = [(f"versions.{name}", str(value)) for name, value in made.get("versions", {}).items()]
    return [(name, str(value)) for name, value in made.items() if name != "versions"] + versions


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


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
