"""Two models compared in one call: matrices or predictions in, everything out."""

from rdstats.comparison.compare import compare
from rdstats.comparison.gate import Gate, GateResult
from rdstats.comparison.quantities import QUANTITIES, Quantity
from rdstats.comparison.result import Comparison

__all__ = ["QUANTITIES", "Comparison", "Gate", "GateResult", "Quantity", "compare"]
