"""Statistics of recall distortion: which classes pay for compression, by how much, and is it real?

Every public name is in the table below and loads its module on first use: ``import rdstats`` loads only itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rdstats._version import __version__

_PUBLIC = {
    "rdstats.cube": ("CubeWriter", "build", "class_counts", "digest", "open_cube", "save", "select", "validate"),
    "rdstats.measures": ("accuracy", "balance", "score"),
    "rdstats.degeneracy": ("degenerate",),
    "rdstats.slope": ("slopes", "summarize_slopes"),
    "rdstats.families": ("FAMILIES", "Family", "Member", "ratio_family", "run_family"),
    "rdstats.control": ("against_control",),
    "rdstats.analysis": ("Analysis", "analyze"),
    "rdstats.errors": ("InputError",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

# no public name may be one of these: importing the module would hide the name
_MODULES = {"array", "charts", "pairing", "records", "report"} | {module.partition(".")[2] for module in _PUBLIC}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"rdstats.{name}")
    raise AttributeError(f"module 'rdstats' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
