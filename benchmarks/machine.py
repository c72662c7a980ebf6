"""What the numbers depend on: the machine, versions, the commit, and how busy the machine was."""

from __future__ import annotations

import contextlib
import os
import platform
from typing import Any


def facts() -> dict[str, Any]:
    """Return the processor, its cores, memory in GiB, system, versions, commit and time."""
    from rdcompute.provenance import circumstances, now

    made = circumstances("cpu")
    return {
        "processor": made["device_name"], "cores": cores(), "memory_gib": memory(), "system": platform.platform(),
        **made["versions"], "commit": made["git_commit"], "date": now(),
    }  # fmt: skip


def cores() -> int | None:
    """Return how many cores this process may use."""
    with contextlib.suppress(AttributeError):  # Linux alone tells
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def memory() -> float | None:
    """Return the machine's memory in GiB, to one decimal; None where the system does not tell."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None


def load() -> float | None:
    """Return how many processes wanted to compute in the last minute; None where the system does not tell."""
    with contextlib.suppress(AttributeError, OSError):
        return round(os.getloadavg()[0], 2)
    return None


def described(known: dict[str, Any]) -> str:
    """Return the facts in two lines."""
    memory = f", {known['memory_gib']} GiB" if known["memory_gib"] else ""
    commit = known["commit"][:7] + "-dirty" * known["commit"].endswith("-dirty") if known["commit"] else "installed"
    return (
        f"{known['processor']}, {known['cores']} cores{memory}, {known['system']}\n"
        f"Python {known['python']}, torch {known['torch']}, numpy {known['numpy']}, "
        f"rd {known['rd']} ({commit}), {known['date']}"
    )
