"""`rd import`: a cube from confusion matrices or predictions of any program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rdstats.errors import InputError


def import_(
    files: Annotated[list[Path], typer.Argument(help="Files or folders.", metavar="FILE...")],
    output: Annotated[
        Path | None, typer.Option(metavar="CUBE.nc", help="The cube to write.", show_default=False)
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Say what was understood and stop.")] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML or JSON with these options by name.", show_default=False),
    ] = None,
    true: Annotated[str | None, typer.Option(metavar="COLUMN", help="True class.", show_default=False)] = None,
    predicted: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Predicted class; repeat it, one a model.", show_default=False),
    ] = None,
    count: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Test images, in one row a count.", show_default=False)
    ] = None,
    stage: Annotated[str | None, typer.Option(metavar="COLUMN", help="before or after.", show_default=False)] = None,
    id: Annotated[str | None, typer.Option(metavar="COLUMN", help="Name of the example.", show_default=False)] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="DIM=COLUMN", help="Column of a dimension, such as seed=run.", show_default=False),
    ] = None,
    dims: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Leading axes of stacks of matrices.", show_default=False)
    ] = None,
    coords: Annotated[
        list[str] | None,
        typer.Option(metavar="DIM=V,V,...", help="Labels along such an axis.", show_default=False),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(help="What names of files or prediction columns say: {method}-{ratio}-{seed}.csv.",
                     show_default=False),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The network before compression: method, column or file.",
                     show_default=False),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B,...|FILE", help="All classes in order; a file has one a line.", show_default=False),
    ] = None,
    unknown: Annotated[
        str | None,
        typer.Option(metavar="error|other|keep", help="Predictions outside the classes: refused, one class, or each "
                     "its own. [default: error]", show_default=False),
    ] = None,
    sum_: Annotated[bool, typer.Option("--sum", help="Add rows that repeat a count.")] = False,
    join: Annotated[bool, typer.Option("--join", help="The files are parts of one table.")] = False,
    predictions: Annotated[
        bool | None,
        typer.Option("--predictions/--no-predictions", help="Store predictions. [default: up to 100 million]",
                     show_default=False),
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="Of CSV. [default: found in the header row]", show_default=False)
    ] = None,
    filter: Annotated[
        str | None, typer.Option(metavar="NAME", help="Filter of an lm-eval log.", show_default=False)
    ] = None,
) -> None:  # fmt: skip
    """Write a cube of confusion matrices or predictions that any program wrote: CSV, Parquet, JSON, NumPy, folders.

    Example: rd import predictions.csv --before dense --output cube.nc
    """
    from rdstats.files import check_writable
    from rdstats.readers import import_files
    from rdstats.readers import preview as describe
    from rdstats.readers.options import class_list

    if output is None and not preview:
        raise InputError("--output CUBE.nc says where the cube goes; --preview writes none")
    if output is not None:
        check_writable(output)
        _check_is_cube(output)
    told: dict[str, Any] = _read_mapping(mapping) if mapping is not None else {}
    options: dict[str, Any] = {
        "true": true, "predicted": predicted or None, "count": count, "stage": stage, "id": id,
        "columns": {**_names(told.get("columns")), **_pairs("--column", column)} if column else None,
        "dims": _parts(dims), "coords": {dim: _parts(text) for dim, text in _pairs("--coords", coords).items()} or None,
        "pattern": pattern, "before": before, "classes": class_list(classes), "unknown": unknown, "sum": sum_ or None,
        "join": join or None, "predictions": predictions, "separator": separator, "filter": filter,
    }  # fmt: skip
    found = import_files(files, told, **options)
    typer.echo(describe(found), err=True)
    if preview or output is None:
        return
    if output.exists():
        _check_same(output, found.cube())
        typer.echo(f"cube: {output} has this already")
        return
    found.save(output)
    typer.echo(f"cube: {output}, {len(found.layout.after)} cells; rd analyze {output}")


def _check_is_cube(output: Path) -> None:
    """Refuse at once to replace what is no cube."""
    if output.exists():
        from rdstats.cube import open_cube

        try:
            open_cube(output).close()
        except InputError as error:
            raise InputError(f"--output {output} is there and would be lost: {error}; give another name") from None


def _check_same(output: Path, cube: Any) -> None:
    """Refuse to replace a cube of anything else."""
    from rdstats.cube import digest, open_cube

    with open_cube(output) as there:
        if digest(there) != digest(cube):
            raise InputError(f"--output {output} is another cube and would be lost; give another name")


def _read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML file (JSON is YAML): every option under its name."""
    from rdcompute.yamlread import read_text, read_yaml
    from rdstats.readers.options import class_list

    found, _ = read_yaml(read_text(path), str(path))
    if not isinstance(found, dict):
        raise InputError(f"{path}: a mapping of options is accepted, such as true: label")
    if isinstance(found.get("classes"), str):
        found["classes"] = class_list(found["classes"], path.parent)
    return found


def _parts(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",")] if text else None


def _names(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _pairs(option: str, texts: list[str] | None) -> dict[str, str]:
    """Read ``dim=value`` options."""
    found: dict[str, str] = {}
    for text in texts or []:
        dim, sign, value = text.partition("=")
        if not (dim and sign and value):
            raise InputError(f"{option} {text}: dim=name is accepted, such as seed=run")
        if dim in found:
            raise InputError(f"{option} {text}: {dim} comes twice")
        found[dim.strip()] = value.strip()
    return found
