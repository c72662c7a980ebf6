"""One registry for everything a grid refers to by name: datasets, architectures, criteria."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Protocol, TypeVar

from rdstats.errors import InputError, nearest, one_of


class Named(Protocol):
    """Anything that carries the name it is registered under."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Names and what they stand for, extended by installed packages through entry points.

    Entry points are listed by name at the first look-up and imported only when their own name is asked
    for, so an installed package that is not used costs nothing and cannot break anything.

    Parameters
    ----------
    kind
        What is registered, as it appears in messages: ``"dataset"``.
    group
        Entry-point group of the packages that add to it: ``"rdcompute.datasets"``. The entry point's
        name is the registered name; its object is an instance of `expected`.
    expected
        Class of the registered objects.
    also
        What is accepted besides the names, as it ends a message: ``"or the path of a .npz file"``.
    """

    def __init__(self, kind: str, group: str, expected: type[T], also: str = "") -> None:
        self.kind = kind
        self.group = group
        self._expected = expected
        self._also = also
        self._own: dict[str, T] = {}
        self._loaded: dict[str, T] = {}

    def add(self, item: T) -> T:
        """Register `item` under its name and return it; a name is given once (ValueError)."""
        if item.name in self._own:
            raise ValueError(f"{self.kind} '{item.name}' is registered twice")
        self._own[item.name] = item
        return item

    def names(self) -> tuple[str, ...]:
        """Return all names: our own in the order of registration, then those of packages, sorted."""
        return tuple(self._own) + tuple(sorted(set(self._points) - set(self._own)))

    def get(self, name: str) -> T:
        """Return what `name` stands for.

        Raises
        ------
        InputError
            Unknown name (the message has the nearest one and all accepted), a name that two packages
            provide, or a package whose object cannot be imported or is not what it should be.
        """
        points = self._points.get(name, []) if isinstance(name, str) else []
        if len(points) + (name in self._own) > 1:
            raise InputError(
                f"{self.kind} '{name}' is provided more than once, by {one_of(self._sources(name, points))}; "
                "uninstall all but one"
            )
        if name in self._own:
            return self._own[name]
        if not points:
            raise InputError(self._unknown(name))
        if name not in self._loaded:
            self._loaded[name] = self._load(points[0])
        return self._loaded[name]

    @cached_property
    def _points(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=self.group):
            found.setdefault(point.name, []).append(point)
        return found

    def _unknown(self, name: object) -> str:
        names = self.names()
        hint = nearest(name, names) if isinstance(name, str) else ""
        accepted = one_of(names) + (f", {self._also}" if self._also else "")
        return f"{self.kind} {name!r} is unknown{hint}; accepted: {accepted}"

    def _sources(self, name: str, points: Iterable[EntryPoint]) -> list[str]:
        own = ["rdcompute itself"] if name in self._own else []
        return own + [_package(point) for point in points]

    def _load(self, point: EntryPoint) -> T:
        where = f"{self.kind} '{point.name}' of the package {_package(point)}"
        try:
            item = point.load()
        except Exception as error:  # whatever a third-party module raises while it is imported
            raise InputError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
        if not isinstance(item, self._expected):
            raise InputError(f"{where} is a {type(item).__name__}; accepted: {self._expected.__name__}")
        if item.name != point.name:
            raise InputError(f"{where} calls itself '{item.name}'; the two names have to be the same")
        return item


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
