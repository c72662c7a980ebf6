"""How many worker processes there are, and which device each has."""

from __future__ import annotations

import os

from rdstats.errors import InputError

AUTO = "auto"


def worker_devices(device: str, workers: int | str = 1, per_device: int = 1) -> tuple[str, ...]:
    """Return the device of every worker process.

    Parameters
    ----------
    device : as `rdcompute.execute.choose_device` returns it: ``cpu``, ``mps``, ``cuda`` (all of them) or ``cuda:N``.
    workers : their number; ``auto``: one a core on the CPU, `per_device` on every GPU.
    per_device : workers that share a GPU with ``auto``; small networks leave most of one idle.

    Raises
    ------
    InputError
        A number below 1.

    Examples
    --------
    >>> worker_devices("cpu", 2)
    ('cpu', 'cpu')
    """
    if per_device < 1:
        raise InputError(f"--workers-per-device {per_device}: a whole number from 1 is accepted")
    gpus = _gpus(device)
    n = _number(workers) if workers != AUTO else len(gpus) * per_device if gpus else _cores()
    places = gpus or (device,)
    return tuple(places[i % len(places)] for i in range(n))


def check_device_name(name: str) -> tuple[str, str]:
    """Return kind and number of a device as it is written (number "" for none); whether it is there is not asked.

    Raises
    ------
    InputError
        No name of a device.
    """
    kind, colon, number = name.partition(":")
    if name != AUTO and (kind not in ("cpu", "cuda", "mps") or (colon and not number.isdecimal())):
        raise InputError(f"--device {name}: auto, cpu, cuda, cuda:N or mps is accepted")
    return kind, number


def _number(workers: int | str) -> int:
    try:
        n = int(workers)
    except ValueError:
        n = 0
    if n < 1:
        raise InputError(f"--workers {workers}: a whole number from 1, or auto, is accepted")
    return n


def _gpus(device: str) -> tuple[str, ...]:
    if device == "cuda":
        import torch

        return tuple(f"cuda:{i}" for i in range(torch.cuda.device_count()))
    return () if device == "cpu" else (device,)


def _cores() -> int:
    """Return the cores that this process may use, which a container or a job may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
