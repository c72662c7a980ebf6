"""Datasets by name: what a grid can train on, where it is on disk, and its images as arrays.

Nothing is read or imported beyond the standard library and NumPy before a dataset is loaded.
"""

from rdcompute.datasets.catalogue import (
    DATASETS,
    DatasetStatus,
    check_dataset_name,
    dataset_names,
    dataset_spec,
    download,
    load,
    locate,
    status,
)
from rdcompute.datasets.folders import default_data_dir
from rdcompute.datasets.images import ImageData
from rdcompute.datasets.spec import DatasetSpec
from rdcompute.datasets.split import holdout_size, stratified_holdout

__all__ = [
    "DATASETS",
    "DatasetSpec",
    "DatasetStatus",
    "ImageData",
    "check_dataset_name",
    "dataset_names",
    "dataset_spec",
    "default_data_dir",
    "download",
    "holdout_size",
    "load",
    "locate",
    "status",
    "stratified_holdout",
]
