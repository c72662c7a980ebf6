"""The compute backend: from a grid file to a confusion-matrix cube (needs the `compute` extra).

``import rdcompute`` loads only itself: the public names load PyTorch on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdcompute.evaluation import Evaluation as Evaluation
    from rdcompute.evaluation import confusion as confusion
    from rdcompute.evaluation import evaluate as evaluate

__all__ = ["Evaluation", "confusion", "evaluate"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rdcompute' has no attribute {name!r}")
    try:
        return getattr(import_module("rdcompute.evaluation"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f"rdcompute.{name} needs torch: pip install 'recall-distortion[compute]'") from None


def __dir__() -> list[str]:
    return __all__
