"""Types of the lazy table of public names in ``__init__.py``."""

from rdstats._version import __version__ as __version__
from rdstats.analysis import Analysis as Analysis
from rdstats.analysis import analyze as analyze
from rdstats.control import against_control as against_control
from rdstats.cube import CubeWriter as CubeWriter
from rdstats.cube import build as build
from rdstats.cube import class_counts as class_counts
from rdstats.cube import digest as digest
from rdstats.cube import open_cube as open_cube
from rdstats.cube import save as save
from rdstats.cube import select as select
from rdstats.cube import validate as validate
from rdstats.degeneracy import degenerate as degenerate
from rdstats.errors import InputError as InputError
from rdstats.families import FAMILIES as FAMILIES
from rdstats.families import Family as Family
from rdstats.families import Member as Member
from rdstats.families import ratio_family as ratio_family
from rdstats.families import run_family as run_family
from rdstats.measures import accuracy as accuracy
from rdstats.measures import balance as balance
from rdstats.measures import score as score
from rdstats.slope import slopes as slopes
from rdstats.slope import summarize_slopes as summarize_slopes
