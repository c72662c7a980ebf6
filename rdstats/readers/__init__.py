"""Readers of confusion matrices and predictions that any program wrote: files in, a cube out.

Each kind of file has one module; all become networks (`rdstats.readers.networks`), which `rdstats.readers.imported`
lays out as a cube.
"""

from rdstats.readers.imported import Imported
from rdstats.readers.load import import_files
from rdstats.readers.options import Options, make_options
from rdstats.readers.preview import preview
from rdstats.readers.single import read_column, read_matrix

__all__ = ["Imported", "Options", "import_files", "make_options", "preview", "read_column", "read_matrix"]
