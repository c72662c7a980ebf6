"""Architectures by name, their construction from a seed, and the counting of their parameters.

Importing this package does not import torch; building or counting does.
"""

from rdcompute.models.architectures import ARCHITECTURES, Architecture, architecture_names, build_model, build_narrow
from rdcompute.models.narrow import multiplications, narrow_counts
from rdcompute.models.parameters import (
    ParameterCounts,
    layer_shapes,
    parameter_counts,
    prunable_layers,
    weight_vector,
)

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "ParameterCounts",
    "architecture_names",
    "build_model",
    "build_narrow",
    "layer_shapes",
    "multiplications",
    "narrow_counts",
    "parameter_counts",
    "prunable_layers",
    "weight_vector",
]
