"""Statistics of recall distortion: which classes pay for compression, by how much, and is it real?

Every public name is in the table below and loads its module on first use: ``import rdstats`` loads only itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from rdstats._version import __version__

_PUBLIC = {
    "rdstats.cube": (
        "CubeWriter",
        "build",
        "class_counts",
        "digest",
        "merge_cubes",
        "open_cube",
        "save",
        "select",
        "validate",
    ),
    "rdstats.measures": ("accuracy", "balance", "score"),
    "rdstats.degeneracy": ("degenerate",),
    "rdstats.slope": ("slopes", "summarize_slopes"),
    "rdstats.regression": ("contributions", "intercept_model", "pooled"),
    "rdstats.variance": ("recall_variance", "recall_variances"),
    "rdstats.classes": ("per_class", "worst"),
    "rdstats.confusion": ("confusion_difference",),
    "rdstats.columns": ("accuracies", "tradeoff"),
    "rdstats.sampling": ("corrected_slopes", "sampling_terms", "weak_test_set"),
    "rdstats.resampling": ("bca_intervals", "crossed_intervals", "fold_slopes"),
    "rdstats.instrumented": ("instrumented_slopes", "retrain_null"),
    "rdstats.single": ("class_changes", "pair_intervals"),
    "rdstats.agreement": ("churn", "recall_changes"),
    "rdstats.comparison": ("Comparison", "Gate", "compare"),
    "rdstats.control": ("against_control", "control_differences"),
    "rdstats.families": (
        "FAMILIES",
        "Family",
        "Member",
        "arch_family",
        "dataset_family",
        "declare",
        "matched_family",
        "method_by_arch_family",
        "method_family",
        "ratio_family",
        "run_family",
    ),
    "rdstats.bayes": ("posterior",),
    "rdstats.credible": ("posterior_summary",),
    "rdstats.pair_probability": ("pair_probabilities",),
    "rdstats.analysis": ("Analysis", "FamilyResult", "analyze"),
    "rdstats.readers": ("Imported", "import_files"),
    "rdstats.errors": ("InputError",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

# no public name may be one of these: importing the module would hide the name
_MODULES = {"array", "charts", "figures", "notes", "pairing", "records", "report", "tables"} | {
    module.partition(".")[2] for module in _PUBLIC
}

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
