"""Write a cube to NetCDF: present cells only, into a temporary name that replaces the target when complete."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import xarray as xr

from rdstats.cube import schema
from rdstats.cube.header import header_sha256
from rdstats.cube.schema import VariableSpec
from rdstats.errors import InputError


def check_writable(path: str | os.PathLike[str]) -> Path:
    """Return `path` if a file can be created beside it, else raise `InputError`."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; give the name of a file")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"cannot write {path}: folder {folder} does not exist")
    try:
        handle, name = tempfile.mkstemp(prefix=".rd-", dir=folder)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror} (folder {folder})") from None
    os.close(handle)
    os.unlink(name)
    return path


def replace_file(temporary: Path, path: Path) -> None:
    """Flush `temporary` to disk and give it the name `path`, atomically."""
    descriptor = os.open(temporary, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(temporary, path)
    if os.name == "posix":
        folder = os.open(path.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_text_atomically(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file under a temporary name that replaces `path` when it is complete."""
    path = check_writable(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".part", dir=path.absolute().parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        replace_file(Path(name), path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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

    Examples
    --------
    >>> import tempfile, numpy as np, os
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
        handle, name = tempfile.mkstemp(prefix=f".{self.path.name}-", suffix=".part", dir=self.path.absolute().parent)
        os.close(handle)
        self._temporary = Path(name)
        self._dims = dict(dims or {})
        self._small: dict[str, np.ndarray[Any, Any]] = {}
        self._specs: dict[str, VariableSpec] = {}
        self._n_classes = _length(coords["true_class"])
        self._index: dict[str, dict[Any, int]] = {}
        self._file = netCDF4.Dataset(self._temporary, "w", format="NETCDF4")
        try:
            for dim, labels in coords.items():
                self._define_dim(dim, labels)
            fixed = {"Conventions": schema.CONVENTIONS, "rd_schema_version": schema.SCHEMA_VERSION}
            self._file.setncatts({**fixed, **{k: _attribute(v) for k, v in (attrs or {}).items()}})
        except BaseException:
            self._abandon()
            raise

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
        variable = self._file.createVariable(spec.name, dtype, spec.dims, fill_value=fill, **options)
        variable.set_auto_maskandscale(False)
        variable.setncatts(schema.attributes(spec))

    def put(self, where: Mapping[str, Any], **values: Any) -> None:
        """Store values of the cell `where` (dimension -> label); other dimensions are given whole.

        Arrays shorter than a padded dimension (fewer classes, fewer images) fill its beginning.
        """
        for name, value in values.items():
            array = np.asarray(value)
            dims = self._spec(name, array).dims
            self.put_at(tuple(self._index[d][where[d]] for d in dims if d in where), name, array)

    def put_at(self, position: tuple[int, ...], name: str, value: Any) -> None:
        """Store one value or array at the integer `position` of the leading dimensions of variable `name`."""
        array = np.asarray(value)
        spec = self._spec(name, array)
        index = (*position, *(slice(0, n) for n in array.shape))
        if len(index) != len(spec.dims):
            raise ValueError(f"{name} has dimensions {spec.dims}; got position {position} and shape {array.shape}")
        target = self._file.variables[name] if spec.is_large else self._small[name]
        target[index] = self._encoded(spec, array)

    def _encoded(self, spec: VariableSpec, array: np.ndarray[Any, Any]) -> Any:
        """Return values as stored: NaN becomes the fill value of integer types."""
        dtype, fill = schema.storage(spec, self._n_classes)
        if dtype is str:
            return array.astype(object) if array.ndim else array.item()  # a 0-d object array would be stored itself
        if array.dtype.kind != "f" or dtype.kind == "f":
            return array
        missing = np.isnan(array)
        return np.where(missing, fill, np.where(missing, 0, array)).astype(dtype)

    def close(self) -> None:
        """Write the small variables and the checksum, flush to disk and replace the target."""
        try:
            for name, array in self._small.items():
                spec = self._specs[name]
                self._define(spec, [max(1, n) for n in array.shape])
                self._file.variables[name][...] = array
            integrity = self._file.createGroup(schema.INTEGRITY_GROUP)
            integrity.setncattr("header_sha256", header_sha256(self._file))
            self._file.close()
            replace_file(self._temporary, self.path)
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        with contextlib.suppress(RuntimeError):  # already closed
            self._file.close()
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


def _attribute(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int | float | np.ndarray | np.generic):
        return value
    if isinstance(value, list | tuple):
        return list(value)
    raise InputError(f"attribute value {value!r} is neither text, a number nor a list of these")
