"""Where cells may be computed: on workers with a GPU or on any, and what these are like."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from rdcompute.cluster.file import ClusterFile
from rdcompute.cluster.kinds import GPU
from rdcompute.provenance import circumstances
from rdcompute.schedule import logger
from rdstats.errors import InputError

Resources = dict[str, int]


def resources(device: str, file: ClusterFile | None, gpus: Sequence[bool]) -> Resources | None:
    """Return what a cell takes of a worker: a GPU where one is asked for, or where ``auto`` finds one.

    Parameters
    ----------
    file : a cluster of our own, which says it; else `gpus` do.
    gpus : of every worker, whether it offers a GPU; where there is no worker yet, that cannot be said: None.

    Raises
    ------
    InputError
        A GPU is asked for, and there is none; no cell would ever be begun.
    """
    kind = device.partition(":")[0]
    if kind not in ("auto", "cuda"):
        return {}
    if file is not None:
        has_one = bool(file.gpus) or file.kind == "cuda"
        if kind == "cuda" and not has_one:
            raise file.wrong("gpus", text=f"--device {device} is for workers with a GPU; gpus: 1 says they have one")
    elif not gpus:
        return None
    else:
        has_one = any(gpus)
        if kind == "cuda" and not has_one:
            raise InputError(f"--device {device}: none of the {len(gpus)} workers offers the resource {GPU}; start "
                             f'them with dask worker --nthreads 1 --resources "{GPU}=1"')  # fmt: skip
    return {GPU: 1} if has_one else {}


class Acquaintances:
    """The workers of a run, as each of them said it is; what differs between them may show in the last bits."""

    def __init__(self) -> None:
        self._first = {f"versions of {name}": value for name, value in circumstances("cpu")["versions"].items()}

    def met(self, said: dict[str, Any]) -> None:
        """Log a worker; warn, once each, of what is not as it was with the others."""
        logger.info("worker %s at %s on %s: %s (%s), torch %s", said["name"], said["address"], said["host"],
                    said["device"], said["device_name"], said["versions"]["torch"])  # fmt: skip
        own = {f"versions of {name}": value for name, value in said["versions"].items() if name in ("torch", "numpy")}
        for what, value in {**own, "devices": said["device"]}.items():
            first = self._first.setdefault(what, value)
            if value != first:
                self._first[what] = value
                warnings.warn(f"cells are computed with different {what}: {first} and {value} (worker {said['name']} "
                              f"on {said['host']}); their last bits may differ", stacklevel=2)  # fmt: skip
