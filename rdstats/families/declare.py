"""The families of the paper, and one more, declared from what a cube's grid has planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from rdstats._labelled import METHOD, RATIO, SEED, is_control, planned
from rdstats.errors import InputError, UnanswerableError, nearest, one_of
from rdstats.families.family import Family, Member, Selector, find

DATASET, ARCH = "dataset", "arch"
PAPER_DATASETS = (("mnist", "cifar10"), ("fashion-mnist", "cifar10"), ("cifar10", "cifar100"))
PAPER_METHODS = ("mp", "up")
RELEASED_AND_TWIN = ("up-released", "up-released-abs")
MATCHED = "@"
"""In a method's name, before that of the method it was made to keep as many weights as."""
RATIO_TOLERANCE = 0.02
"""Largest relative difference of the achieved ratios that still counts as equal."""

Pairs = Sequence[tuple[Any, Any]]


class _Plan:
    """Which cells a grid has planned, by label; controls left out."""

    def __init__(self, slopes: xr.Dataset, family: str, needs: Sequence[str]) -> None:
        self.family = family
        self.dims = [str(dim) for dim in slopes["slope"].dims if dim != SEED]
        if lacking := [dim for dim in needs if dim not in self.dims]:
            raise UnanswerableError(
                f"--family {family}: the cube has no dimension {lacking[0]}; "
                f"it has {one_of(self.dims) or 'no dimension to compare along'}"
            )
        self.labels = {
            d: slopes[d].values.tolist() if d in slopes.coords else list(range(slopes.sizes[d])) for d in self.dims
        }
        self._there = planned(slopes).transpose(*self.dims).values
        self._index = {dim: {label: i for i, label in enumerate(own)} for dim, own in self.labels.items()}

    def has(self, selector: Selector) -> bool:
        """Return whether a cell is planned and no control's."""
        if is_control(selector.get(METHOD, "")):
            return False
        return bool(self._there[tuple(self._index[dim][selector[dim]] for dim in self.dims)])

    def columns(self, *without: str) -> Iterator[Selector]:
        """Yield every combination of labels of the dimensions not in `without`."""
        dims = [dim for dim in self.dims if dim not in without]
        for index in np.ndindex(*(len(self.labels[dim]) for dim in dims)):
            yield {dim: self.labels[dim][i] for dim, i in zip(dims, index, strict=True)}

    def along(self, dim: str, column: Selector, order: Sequence[Any] | None = None) -> list[Any]:
        """Return the planned labels of one dimension in a column, in coordinate order or in the order given."""
        labels = self.labels[dim] if order is None else self.known(dim, order, "--order")
        return [label for label in labels if self.has({**column, dim: label})]

    def known(self, dim: str, names: Iterable[Any], option: str) -> list[Any]:
        """Return labels as the cube has them; `InputError` for one that it has not, or that comes twice."""
        found = [find(self.labels[dim], name, f"{option}: {dim}") for name in names]
        if twice := [label for label in found if found.count(label) > 1]:
            raise InputError(f"{option}: {twice[0]} comes twice")
        return found

    def pairs(self, dim: str, pairs: Pairs | None) -> list[tuple[Any, Any]] | None:
        """Return pairs of labels as the cube has them."""
        if pairs is None:
            return None
        result = []
        for pair in pairs:
            if len(pair) != 2 or str(pair[0]) == str(pair[1]):
                raise InputError(f"--pairs {':'.join(map(str, pair))}: two different {dim} labels are accepted, a:b")
            labels = tuple(find(self.labels[dim], name, f"--pairs: {dim}") for name in pair)
            if labels[0] == labels[1] or labels in result:
                why = "the two labels are one" if labels[0] == labels[1] else "the pair comes twice"
                raise InputError(f"--pairs {':'.join(map(str, pair))}: {why}")
            result.append(labels)
        return result

    def members(self, dim: str, pairs: Callable[[Selector], Pairs]) -> tuple[Member, ...]:
        """Return the planned pairs along one dimension in every column of the others."""
        return tuple(
            Member(_text(column), {**column, dim: a}, {**column, dim: b})
            for column in self.columns(dim)
            for a, b in pairs(column)
            if self.has({**column, dim: a}) and self.has({**column, dim: b})
        )

    def refuse_empty(self, members: Sequence[Member], dim: str) -> None:
        """Raise `InputError` where there is nothing to compare."""
        if not members:
            names = [_label(RATIO, v) if dim == RATIO else str(v) for v in self.labels[dim] if not is_control(v)]
            raise UnanswerableError(
                f"--family {self.family}: nothing to compare along {dim}; the cube has {one_of(names) or 'none'}"
            )


def ratio_family(
    slopes: xr.Dataset, *, pairs: Pairs | None = None, order: Sequence[Any] | None = None, **options: Any
) -> Family:
    """Return the family of consecutive ratios: does the slope grow with the ratio?

    One column per combination of the other dimensions; its members are the consecutive pairs of its planned
    ratios by value, H_a: mean slope at the first < at the second, paired.

    Parameters
    ----------
    slopes : result of `rdstats.slopes`.
    pairs : pairs of labels instead of the default ones, ``[(first, second), ...]``.
    order : labels of the dimension in the order that "consecutive" means; default: coordinate order.
    options : ``alternative, correction, level, quantity, pair_by, equal_variance``, see `Family`.

    Raises
    ------
    InputError
        A cube without the dimension, or a label that it does not have.

    Source: paper, section 7.1, Tables 1 to 4.
    """
    plan = _Plan(slopes, "ratio", [RATIO])
    given = plan.pairs(RATIO, pairs)
    rising = sorted(plan.labels[RATIO]) if order is None else order
    members = plan.members(RATIO, lambda column: given or list(pairwise(plan.along(RATIO, column, rising))))
    if given:
        plan.refuse_empty(members, RATIO)
    return _family(
        "ratio", members, True, "less", [d for d in plan.dims if d != RATIO], options,
        "the mean {quantity} at the first ratio is not below that at the second",
    )  # fmt: skip


def arch_family(
    slopes: xr.Dataset, *, pairs: Pairs | None = None, order: Sequence[Any] | None = None, **options: Any
) -> Family:
    """Return the family of consecutive network sizes: is the smaller network's slope the larger one?

    One column per combination of the other dimensions (a ratio of a method on a dataset); members are the
    consecutive planned archs in coordinate order, H_a: mean slope of the first > of the second, independent.

    Parameters
    ----------
    slopes, pairs, order, options : as in `ratio_family`.

    Raises
    ------
    InputError
        As `ratio_family`; fewer than two archs.

    Source: paper, section 7.2, Tables 5 and 6.
    """
    plan = _Plan(slopes, "arch", [ARCH])
    given = plan.pairs(ARCH, pairs)
    members = plan.members(ARCH, lambda column: given or list(pairwise(plan.along(ARCH, column, order))))
    plan.refuse_empty(members, ARCH)
    return _family(
        "arch", members, False, "greater", [RATIO], options,
        "the mean {quantity} of the first network is not above that of the second",
    )  # fmt: skip


def dataset_family(
    slopes: xr.Dataset, *, pairs: Pairs | None = None, arch: Mapping[str, str] | None = None, **options: Any
) -> Family:
    """Return the family of datasets, each with one arch: is the slope larger on the harder one?

    Parameters
    ----------
    slopes, pairs, options : as in `ratio_family`.  Default pairs: the paper's (mnist, cifar10),
        (fashion-mnist, cifar10) and (cifar10, cifar100), H_a: mean slope on the first < on the second; in a
        cube with none of them all pairs, two-sided.
    arch : dataset -> arch, needed for a dataset that has several.

    Raises
    ------
    InputError
        As `ratio_family`; fewer than two datasets, or one with several archs and no choice.

    Source: paper, section 7.3, Table 7; independent samples.
    """
    plan = _Plan(slopes, "dataset", [DATASET])
    names = plan.labels[DATASET]
    given = plan.pairs(DATASET, pairs)
    directed = given or [pair for pair in PAPER_DATASETS if set(pair) <= set(names)]
    chosen = directed or _all_pairs(names)
    with_arch = ARCH in plan.dims
    used = [name for name in names if any(name in pair for pair in chosen)]
    own = {name: {ARCH: _default_arch(plan, name, arch or {})} if with_arch else {} for name in used}
    members = tuple(
        Member(_text(column), {**column, DATASET: a, **own[a]}, {**column, DATASET: b, **own[b]})
        for column in plan.columns(DATASET, ARCH)
        for a, b in chosen
        if plan.has({**column, DATASET: a, **own[a]}) and plan.has({**column, DATASET: b, **own[b]})
    )
    plan.refuse_empty(members, DATASET)
    less, differ = "is not below that on the second", "is the same on the second"
    return _family(
        "dataset", members, False, "less" if directed else "two-sided", [RATIO], options,
        "the mean {quantity} on the first dataset " + (less if directed else differ),
    )  # fmt: skip


def method_family(slopes: xr.Dataset, *, pairs: Pairs | None = None, **options: Any) -> Family:
    """Return the family of all pairs of methods: do they differ at the same ratio?

    One column per combination of the other dimensions; members are all pairs of planned methods, controls
    left out, two-sided, paired.

    Parameters
    ----------
    slopes, pairs, options : as in `ratio_family`.

    Raises
    ------
    InputError
        As `ratio_family`; fewer than two methods.

    Source: paper, section 7.4, Table 8.
    """
    plan = _Plan(slopes, "method", [METHOD])
    given = plan.pairs(METHOD, pairs)
    members = plan.members(METHOD, lambda column: given or _all_pairs(plan.along(METHOD, column)))
    plan.refuse_empty(members, METHOD)
    return _family("method", members, True, "two-sided", [RATIO], options, _SAME)


def method_by_arch_family(slopes: xr.Dataset, *, pairs: Pairs | None = None, **options: Any) -> Family:
    """Return one family of two methods in every ratio and arch.

    One column per combination of the dimensions other than method, ratio and arch.

    Parameters
    ----------
    slopes, options : as in `ratio_family`.
    pairs : the two methods, default (mp, up), or the only two that the cube has.

    Raises
    ------
    InputError
        As `ratio_family`; no two methods to choose.

    Source: paper, section 7.4, Table 9; two-sided, paired.
    """
    plan = _Plan(slopes, "method-by-arch", [METHOD, ARCH, RATIO])
    chosen = plan.pairs(METHOD, pairs)
    if chosen is None:
        methods = [name for name in plan.labels[METHOD] if not is_control(name)]
        chosen = [PAPER_METHODS] if set(PAPER_METHODS) <= set(methods) else [tuple(methods)]  # type: ignore[list-item]
        if len(chosen[0]) != 2:
            raise UnanswerableError(
                f"--family method-by-arch: say which two of {one_of(methods)}: --pairs first:second"
            )
    members = _regrouped(plan, plan.members(METHOD, lambda _: chosen), METHOD, RATIO, ARCH)
    plan.refuse_empty(members, METHOD)
    return _family("method-by-arch", members, True, "two-sided", [ARCH], options, _SAME)


def matched_family(slopes: xr.Dataset, *, pairs: Pairs | None = None, **options: Any) -> Family:
    """Return the family of a criterion against its twin at the same *achieved* ratio.

    A criterion that removes less than its nominal ratio says is compared with another one that was made to
    remove as much.  One column per combination of the dimensions other than method and ratio; two-sided,
    paired.  A member whose mean achieved ratios differ by more than 2 % has no result (``unmatched_ratio``).

    Parameters
    ----------
    slopes, options : as in `ratio_family`.
    pairs : (criterion, twin) as methods; default: every method ``a@b`` that keeps as many weights as b, as
        (b, a@b); in a cube without any, (up-released, up-released-abs).

    Raises
    ------
    InputError
        As `ratio_family`; methods to choose from are lacking, or the cube has no achieved ratios.

    Source: this project's; the released criterion keeps more weights than its nominal ratio says.
    """
    plan = _Plan(slopes, "matched", [METHOD])
    if "achieved_ratio" not in slopes:
        raise UnanswerableError(
            "--family matched: the cube has no achieved_ratio, so nothing says which networks match"
        )
    chosen = plan.pairs(METHOD, pairs)
    if chosen is None:
        names = list(map(str, plan.labels[METHOD]))
        chosen = [(b, name) for name in names if (b := name.partition(MATCHED)[2]) in names]
        if not chosen and set(RELEASED_AND_TWIN) <= set(names):
            chosen = [RELEASED_AND_TWIN]
        if not chosen:
            raise UnanswerableError(
                f"--family matched: say which criterion and which twin of {one_of(plan.labels[METHOD])}: --pairs a:b"
            )
    members = _regrouped(plan, plan.members(METHOD, lambda _: chosen), METHOD, RATIO)
    plan.refuse_empty(members, METHOD)
    return _family(
        "matched", members, True, "two-sided", [RATIO], {"ratio_tolerance": RATIO_TOLERANCE, **options}, _SAME
    )


_SAME = "the mean {quantity} of both methods is the same"

FAMILIES: dict[str, Callable[..., Family]] = {
    "ratio": ratio_family,
    "arch": arch_family,
    "dataset": dataset_family,
    "method": method_family,
    "method-by-arch": method_by_arch_family,
    "matched": matched_family,
}
_TAKES = {"ratio": ("pairs", "order"), "arch": ("pairs", "order"), "dataset": ("pairs", "arch")}


def declare(name: str, slopes: xr.Dataset, **options: Any) -> Family:
    """Return the family called `name`, declared from what the cube has planned.

    Parameters
    ----------
    name : one of `FAMILIES`.
    slopes : result of `rdstats.slopes`.
    options : those of the family's own function; None is its default.

    Raises
    ------
    InputError
        An unknown name, an option that the family does not take, or what its function refuses.
    """
    if name not in FAMILIES:
        raise InputError(f"family {name!r}{nearest(name, FAMILIES)}; accepted are {one_of(FAMILIES)}")
    given = {key: value for key, value in options.items() if value is not None}
    taken = _TAKES.get(name, ("pairs",))
    for key in ("pairs", "order", "arch"):
        if key in given and key not in taken:
            owners = [other for other in FAMILIES if key in _TAKES.get(other, ("pairs",))]
            raise InputError(f"--family {name} takes no --{key}; it belongs to {one_of(owners)}")
    return FAMILIES[name](slopes, **given)


def _family(
    name: str, members: tuple[Member, ...], paired: bool, alternative: str, across: Sequence[str],
    options: dict[str, Any], question: str,
) -> Family:  # fmt: skip
    options = {"alternative": alternative, **{k: v for k, v in options.items() if v is not None}}
    if paired and options.pop("equal_variance", None):
        raise InputError(f"--family {name}: pooled variance belongs to independent samples; this one is paired")
    quantity = {"slope": "slope", "delta": "difference from the control"}.get(options.get("quantity", "slope"), "")
    if options["alternative"] != alternative:
        question = "the mean {quantity} of the first " + {
            "less": "is not below that of the second",
            "greater": "is not above that of the second",
        }.get(options["alternative"], "is that of the second")
    return Family(
        name, members, paired=paired, across=tuple(across), question=question.format(quantity=quantity), **options
    )


def _all_pairs(labels: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return all pairs, every label after those before it with each of them: ab, ac, bc, ad, ..."""
    return [(labels[i], labels[j]) for j in range(len(labels)) for i in range(j)]


def _regrouped(plan: _Plan, members: Sequence[Member], *inside: str) -> tuple[Member, ...]:
    """Return the members with one column per combination of the dimensions not in `inside`."""
    outside = [dim for dim in plan.dims if dim not in inside]
    return tuple(Member(_text({dim: one.first[dim] for dim in outside}), one.first, one.second) for one in members)


def _default_arch(plan: _Plan, dataset: Any, chosen: Mapping[str, str]) -> Any:
    archs = [
        arch
        for arch in plan.labels[ARCH]
        if any(plan.has({**column, DATASET: dataset, ARCH: arch}) for column in plan.columns(DATASET, ARCH))
    ]
    for name in chosen:
        find(plan.labels[DATASET], name, "--arch: dataset")
    if dataset in chosen:
        return find(archs, chosen[dataset], f"--arch: {dataset}")
    if len(archs) > 1:
        raise UnanswerableError(
            f"--family dataset: {dataset} has several archs ({one_of(archs)}); choose one, --arch {dataset}={archs[-1]}"
        )
    return archs[0] if archs else plan.labels[ARCH][0]


def _label(dim: str, value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _text(column: Selector) -> str:
    words = (f"ratio {_label(dim, value)}" if dim == RATIO else _label(dim, value) for dim, value in column.items())
    return " ".join(words) or "all"
