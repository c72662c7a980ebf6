"""The result of a comparison: numbers, tables, sentences, and the cube behind them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import xarray as xr

from rdstats._version import __version__
from rdstats.analysis import Analysis
from rdstats.comparison.classes import class_records
from rdstats.comparison.gate import Gate, GateResult
from rdstats.comparison.quantities import QUANTITIES, Quantity, Source, quantities
from rdstats.comparison.summary import sentences
from rdstats.errors import InputError, nearest, one_of
from rdstats.records import Record
from rdstats.tables import TABLES

if TYPE_CHECKING:
    import os

    import pandas as pd


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `rdstats.compare` found.

    Attributes
    ----------
    cube : the matrices (and predictions) as a cube, for everything else in `rdstats`.
    analysis : `rdstats.analyze` of it: slopes, expected slopes, control, corrected slopes, McNemar's tests.
    """

    cube: xr.Dataset
    analysis: Analysis

    @cached_property
    def source(self) -> Source:
        """What the numbers are taken from: class changes and churn beside the analysis."""
        return Source(self.analysis, self.cube)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Every number with its interval; see `rdstats.comparison.QUANTITIES`."""
        return tuple(quantities(self.source))

    @cached_property
    def classes(self) -> list[Record]:
        """One record a class: recalls, change with interval, McNemar's test, balances, I, contribution."""
        return class_records(self.source)

    def __getitem__(self, name: str) -> Quantity:
        """Return a quantity by its name.

        Raises
        ------
        InputError
            An unknown name, one that this comparison lacks, or a comparison of several places.
        """
        own = [quantity for quantity in self.quantities if quantity.name == name]
        if len(own) == 1:
            return own[0]
        if own:
            raise InputError(f"{name}: there are {len(own)} of it here; see table('quantities')")
        if name in QUANTITIES:
            raise InputError(f"{name}: this comparison has none (it needs a control)")
        raise InputError(f"no quantity {name!r}{nearest(name, QUANTITIES)}; accepted are {one_of(QUANTITIES)}")

    def summary(self) -> str:
        """Return what was found in plain sentences, a line each; place by place where there are several."""
        return "\n".join(self.sentences())

    def sentences(self) -> list[str]:
        """Return the lines of `summary`."""
        level = self.source.level
        places = _places(self.quantities)
        if len(places) > _MOST:
            return [f"{len(places)} comparisons: see table('quantities'), table('classes') and table('slopes')."]
        result = []
        for place, own in places.items():
            classes = [record for record in self.classes if _place(record, dict(place)) == place]
            named = " ".join(f"{dim} {value}" for dim, value in place)
            lines = sentences(self.analysis, {one.name: one for one in own}, classes, level)
            result += [f"{named}: {line}" if named else line for line in lines]
        return result

    def records(self, name: str) -> list[Record]:
        """Return the exact records of a table.

        Parameters
        ----------
        name : ``quantities``, ``classes``, or a table of `rdstats.analyze` (``slopes``, ``control``, ``sampling``,
            ``pairs``, ``changes``, ``intervals``, ``contributions``, ``worst``, ...).
        """
        if name == "quantities":
            return [quantity.record() for quantity in self.quantities]
        if name == "classes":
            return self.classes
        if name not in TABLES:
            names = dict.fromkeys(("quantities", *TABLES))
            raise InputError(f"table {name!r}{nearest(name, names)}; accepted are {one_of(names)}")
        return TABLES[name].records(self.analysis)

    def table(self, name: str = "quantities") -> pd.DataFrame:
        """Return a table as a pandas DataFrame, exact: a row a record of `records`."""
        import pandas as pd

        return pd.DataFrame(self.records(name))

    def gates(
        self, conditions: Iterable[str | Gate], *, point: bool = False, strict: bool = False
    ) -> list[GateResult]:
        """Return how conditions of failure end; see `Gate.judge`.

        Parameters
        ----------
        conditions : such as ``"slope > 1.2"``.
        point : compare values instead of the bounds of intervals.
        strict : pass only what is shown to keep the limit, by the whole interval.
        """
        gates = [Gate.parse(one) if isinstance(one, str) else one for one in conditions]
        return [result for gate in gates for result in gate.judge(self.quantities, point=point, strict=strict)]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data: exact numbers, None where there is none; JSON gives them back unchanged."""
        attrs = self.analysis.slopes.attrs
        return {
            "version": __version__,
            "level": self.source.level,
            "reference": str(attrs["reference"]),
            "summary": self.sentences(),
            "quantities": self.records("quantities"),
            "classes": self.classes,
            "slopes": self.records("slopes"),
            "control": self.records("control"),
            "notes": list(self.analysis.warnings),
        }

    def to_json(self, gates: Iterable[GateResult] = ()) -> str:
        """Return `to_dict` as JSON, with how gates ended under ``gates``."""
        document = self.to_dict() | {"gates": [gate.record() for gate in gates]}
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def write_report(self, path: str | os.PathLike[str]) -> None:
        """Write the report page of the comparison; see `rdstats.report.write_report`."""
        from rdstats.report import write_report

        write_report(self.analysis, path)

    def __repr__(self) -> str:
        return f"<rdstats.Comparison>\n{self.summary()}"

    def _repr_html_(self) -> str:
        from rdstats.comparison.layout import to_html

        return to_html(self)


_MOST = 4
"""Comparisons whose sentences are written out."""


def _places(found: Iterable[Quantity]) -> Mapping[tuple[Any, ...], list[Quantity]]:
    places: dict[tuple[Any, ...], list[Quantity]] = {}
    for quantity in found:
        places.setdefault(tuple(quantity.place.items()), []).append(quantity)
    return places


def _place(record: Record, dims: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple((dim, record[dim]) for dim in dims)
