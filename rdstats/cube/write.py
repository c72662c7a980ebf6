"""Write a cube to NetCDF: present cells only, into a temporary name that replaces the target when complete."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from rdstats.cube import schema
from rdstats.cube.checksum import append_checksum
from rdstats.cube.schema import VariableSpec
from rdstats.errors import InputError, one_of
from rdstats.files import check_writable, create_temporary, replace_file, why_not_written


class CubeWriter:
    """Write a cube cell by cell; memory grows with the small variables, not with the matrices.

    Parameters
    ----------
    path : path of the NetCDF file; replaced only when the writer is left without an exception.
    coords : one sequence of labels a dimension, in the order in which the cube keeps them; ``sample`` is
        an integer, the number of test images of the largest dataset.
    dims : for variables that the schema does not know or that have other dimensions here (a dense
        variable with ``method``, say): name -> dimensions.
    attrs : global attributes: text, numbers or lists of these.

    Raises
    ------
    InputError
        A path that cannot be written, or labels, attributes or values that a cube cannot hold.
    OSError
        A full disk (``ENOSPC``) or a broken one (``EIO``); the file that was there before is untouched.

    Examples
    --------
    >>> import os, tempfile, numpy as np, xarray as xr
    >>> path = os.path.join(tempfile.mkdtemp(), "cube.nc")
    >>> with CubeWriter(path, {"seed": [0], "true_class": [0, 1], "predicted_class": [0, 1]},
    ...                 dims={"confusion": ("seed", "true_class", "predicted_class")}) as writer:
    ...     writer.put({"seed": 0}, confusion=np.array([[9, 1], [3, 7]]))
    >>> int(xr.open_dataset(path)["confusion"].sum())
    20
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        coords: Mapping[str, Sequence[Any] | np.ndarray[Any, Any] | int],
        *,
        dims: Mapping[str, tuple[str, ...]] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        import netCDF4

        self.path = check_writable(path)
        for dim in schema.CORE:
            if dim not in coords:
                raise InputError(f"cannot write {self.path}: not a cube: dimension {dim} is missing")
        self._dims = dict(dims or {})
        self._small: dict[str, np.ndarray[Any, Any]] = {}
        self._specs: dict[str, VariableSpec] = {}
        self._n_classes = _length(coords["true_class"])
        self._index: dict[str, dict[Any, int]] = {}
        self._file: Any = None
        self._temporary = create_temporary(self.path)
        with self._abandoned_if_it_fails():
            self._file = netCDF4.Dataset(self._temporary, "w", format="NETCDF4")
            for dim, labels in coords.items():
                self._define_dim(dim, labels)
            fixed = {"Conventions": schema.CONVENTIONS, "rd_schema_version": schema.SCHEMA_VERSION}
            self._file.setncatts({**fixed, **{k: _attribute(v) for k, v in (attrs or {}).items()}})

    def _define_dim(self, dim: str, labels: Any) -> None:
        self._file.createDimension(dim, _length(labels))
        if isinstance(labels, int):
            return
        values = np.asarray(labels)
        self._index[dim] = {label: i for i, label in enumerate(values.tolist())}
        if len(self._index[dim]) != len(values):
            raise InputError(f"dimension {dim} has repeated labels: {values.tolist()}")
        if values.dtype.kind in "UO":
            variable = self._file.createVariable(dim, str, (dim,))
            values = values.astype(object)
        else:
            variable = self._file.createVariable(dim, values.dtype, (dim,))
        variable[:] = values
        variable.long_name = dim.replace("_", " ")

    def _spec(self, name: str, array: np.ndarray[Any, Any]) -> VariableSpec:
        if name not in self._specs:
            known = schema.VARIABLES.get(name)
            dims = self._dims.get(name) or (known.dims if known else None)
            if dims is None:
                raise InputError(f"unknown cube variable {name!r}: give its dimensions")
            kind = "text" if array.dtype.kind in "OUS" else "float"
            base = known or VariableSpec(name, dims, kind, name.replace("_", " "))
            spec = VariableSpec(name, dims, base.kind, base.long_name, base.units, base.volatile)
            self._specs[name] = spec
            shape = [self._file.dimensions[d].size for d in dims]
            if spec.is_large:
                n_core = 2 if "predicted_class" in dims else 1
                self._define(spec, [1] * (len(shape) - n_core) + shape[len(shape) - n_core :])
            else:
                dtype, fill = schema.storage(spec, self._n_classes)
                self._small[name] = np.full(shape, "" if dtype is str else fill, object if dtype is str else dtype)
        return self._specs[name]

    def _define(self, spec: VariableSpec, chunks: list[int] | None) -> None:
        dtype, fill = schema.storage(spec, self._n_classes)
        options: dict[str, Any] = {}
        if dtype is not str and spec.dims:
            options = {"zlib": True, "complevel": 1, "shuffle": True, "fletcher32": True, "chunksizes": chunks}
            if spec.is_large:  # a cell is written once: HDF5 need not keep 64 MiB of them a variable
                options["chunk_cache"] = max(1 << 20, 2 * math.prod(chunks or ()) * dtype.itemsize)
        variable = self._file.createVariable(spec.name, dtype, spec.dims, fill_value=fill, **options)
        variable.set_auto_maskandscale(False)
        variable.setncatts(schema.attributes(spec))

    def put(self, where: Mapping[str, Any], **values: Any) -> None:
        """Store values of the cell `where` (dimension -> label); other dimensions are given whole.

        Arrays shorter than a padded dimension (fewer classes, fewer images) fill its beginning.
        """
        for name, value in values.items():
            array = np.asarray(value)
            with self._failures():
                spec = self._spec(name, array)
            self._store(spec, [self._position(d, where[d]) if d in where else None for d in spec.dims], array)

    def _position(self, dim: str, label: Any) -> int:
        labels = self._index.get(dim, {})
        if label not in labels:
            raise InputError(f"{dim}={label} is not in the cube; {dim} has {one_of(labels)}")
        return labels[label]

    def put_at(self, position: tuple[int, ...], name: str, value: Any) -> None:
        """Store one value or array at the integer `position` of the leading dimensions of variable `name`."""
        array = np.asarray(value)
        with self._failures():
            spec = self._spec(name, array)
        self._store(spec, [*position, *[None] * (len(spec.dims) - len(position))], array)

    def _store(self, spec: VariableSpec, position: Sequence[int | None], array: np.ndarray[Any, Any]) -> None:
        """Store an array over the dimensions whose position is None."""
        if len(position) != len(spec.dims) or position.count(None) != array.ndim:
            raise ValueError(f"{spec.name} has dimensions {spec.dims}; got position {position}, shape {array.shape}")
        lengths = iter(array.shape)
        index = tuple(slice(0, next(lengths)) if i is None else i for i in position)
        for dim, part in zip(spec.dims, index, strict=True):
            if isinstance(part, slice) and part.stop > self._file.dimensions[dim].size:
                raise ValueError(f"{spec.name}: {part.stop} values along {dim} of {self._file.dimensions[dim].size}")
        target = self._file.variables[spec.name] if spec.is_large else self._small[spec.name]
        values = self._encoded(spec, array)
        with self._failures():
            target[index] = values

    def _encoded(self, spec: VariableSpec, array: np.ndarray[Any, Any]) -> Any:
        """Return values as stored: NaN becomes the fill value of integer types, None the empty text."""
        dtype, fill = schema.storage(spec, self._n_classes)
        if dtype is str:
            texts = np.array([_text(value) for value in array.ravel().tolist()], object).reshape(array.shape)
            return texts if array.ndim else texts.item()  # a 0-d object array would be stored itself
        if array.dtype.kind not in "biuf":
            raise InputError(f"{spec.name}: numbers are accepted, got {array.dtype}")
        if dtype.kind == "f":
            return array
        missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
        values = np.where(missing, 0, array)
        largest = np.iinfo(dtype).max - (spec.kind == "class")
        wrong = (values < 0) | (values > largest) | (values != np.floor(values))
        if wrong.any():
            raise InputError(
                f"{spec.name}: cannot store {values[wrong].flat[0]:g}; whole numbers from 0 to {largest} are "
                "accepted, NaN where missing"
            )
        return np.where(missing, fill, values.astype(dtype))

    def close(self) -> None:
        """Write the small variables and the checksum, flush to disk and replace the target; once."""
        if self._file is None:
            return
        with self._abandoned_if_it_fails():
            for name, array in self._small.items():
                spec = self._specs[name]
                self._define(spec, [max(1, n) for n in array.shape])
                self._file.variables[name][...] = array
            self._file.close()
            self._file = None
            append_checksum(self._temporary)
            replace_file(self._temporary, self.path)

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Say of what netCDF4 could not write why: a full disk, mostly."""
        try:
            yield
        except (RuntimeError, OSError) as error:
            raise why_not_written(self.path, self._temporary, error) from error

    @contextlib.contextmanager
    def _abandoned_if_it_fails(self) -> Iterator[None]:
        try:
            with self._failures():
                yield
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        if self._file is not None:
            with contextlib.suppress(RuntimeError):  # already closed
                self._file.close()
        with contextlib.suppress(OSError):  # a file system that has become read-only keeps it
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> CubeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()


def _length(labels: Any) -> int:
    return labels if isinstance(labels, int) else len(labels)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def _attribute(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, str | int | float | np.ndarray | np.generic):
        return value
    if isinstance(value, list | tuple):
        return list(value)
    raise InputError(f"attribute value {value!r} is neither text, a number nor a list of these")
