"""Named random streams: every draw follows from one stored root and the name of what it is for.

A name says *what* is drawn, never how the run was configured, so two arms of a comparison that share a
name share the draws: ``init/<seed>/<dataset>/<arch>``, ``order/.../dense|finetune/<epoch>``,
``augment/...``, ``holdout/<dataset>``, ``mask/.../<method>/<ratio>``, ``batch/...``.
"""

from __future__ import annotations

import hashlib
import operator

import numpy as np

from rdstats.errors import InputError


def stream(root: int, name: str) -> np.random.Generator:
    """Return the random generator of the stream `name` under `root`.

    ``Generator(PCG64(SeedSequence([root, w_0, ..., w_7])))`` with w the eight big-endian 32-bit words of
    the SHA-256 of the UTF-8 name: the same draws on every machine, in every process, in any order.

    Parameters
    ----------
    root
        Integer from 0 up, stored with the results. 0 is a root like any other.
    name
        Name of the stream.

    Raises
    ------
    InputError
        `root` is negative or not an integer.

    Examples
    --------
    >>> from rdcompute.streams import stream
    >>> stream(0, "holdout/digits").integers(1000) == stream(0, "holdout/digits").integers(1000)
    np.True_
    """
    return np.random.Generator(np.random.PCG64(_sequence(root, name)))


def torch_seed(root: int, name: str) -> int:
    """Return the 63-bit seed of the stream `name` for a torch generator.

    The first 64-bit word of the stream's seed sequence without its lowest bit. (The CPU generator of
    torch uses only the low 32 bits of it.) Raises InputError as `stream`.
    """
    return int(_sequence(root, name).generate_state(1, np.uint64)[0]) >> 1


def _sequence(root: int, name: str) -> np.random.SeedSequence:
    try:
        number = operator.index(root)
    except TypeError:
        number = -1
    if number < 0:
        raise InputError(f"root seed {root!r} is not accepted; accepted: an integer from 0 up")
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), dtype=">u4")
    return np.random.SeedSequence([number, *(int(word) for word in words)])
