"""The confusion-matrix cube: schema, build, validate, open, save, select, reduce, digest.

A cube is an `xarray.Dataset` of confusion matrices before (``confusion_dense``) and after (``confusion``)
compression, over any leading dimensions; the full schema is in `rdstats.cube.schema`.
"""

from rdstats.cube.build import build
from rdstats.cube.counts import class_counts
from rdstats.cube.digest import digest
from rdstats.cube.merge import merge_cubes
from rdstats.cube.read import open_cube
from rdstats.cube.save import save
from rdstats.cube.schema import DONE, FAILED, MISSING, SCHEMA_VERSION
from rdstats.cube.select import select
from rdstats.cube.validate import validate
from rdstats.cube.write import CubeWriter

__all__ = [
    "DONE",
    "FAILED",
    "MISSING",
    "SCHEMA_VERSION",
    "CubeWriter",
    "build",
    "class_counts",
    "digest",
    "merge_cubes",
    "open_cube",
    "save",
    "select",
    "validate",
]
