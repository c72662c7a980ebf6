"""`rd analyze`: slopes, tests and claims of a cube."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rdstats.errors import InputError, nearest, one_of

if TYPE_CHECKING:
    import xarray as xr

    from rdstats.analysis import Analysis

CubePath = Annotated[Path, typer.Argument(help="A confusion-matrix cube (NetCDF).", metavar="CUBE")]
FAMILY_NAMES = "ratio|arch|dataset|method|method-by-arch|matched|all"
FamilyName = Annotated[
    str | None,
    typer.Option(
        metavar=FAMILY_NAMES,
        help="Which comparisons are tested, or a FILE.json of --save-family. [default: ratio, if there are seeds]",
        show_default=False,
    ),
]
Measure = Annotated[str, typer.Option(metavar="recall|precision|f1", help="Class score.")]
Reference = Annotated[
    str,
    typer.Option(metavar="accuracy|macro", help="What the scores are balanced against: weighted or plain mean."),
]
Correction = Annotated[str, typer.Option(metavar="bonferroni|holm|bh|none", help="Multiple testing, a column each.")]
Level = Annotated[float, typer.Option(help="Family-wise confidence level.")]
Margin = Annotated[float, typer.Option(help="Slope difference without practical meaning (TOST, ROPE).")]
Against = Annotated[
    str | None,
    typer.Option(
        metavar="sham|one",
        help="Claims against the control, or against slope 1. [default: sham where there is one]",
        show_default=False,
    ),
]
Exclude = Annotated[str, typer.Option(metavar="degenerate", help="Leave degenerate networks out.", show_default=False)]
Select = Annotated[
    list[str] | None,
    typer.Option(metavar="DIM=VALUE[,VALUE]", help="Only this part of the cube; may be repeated.", show_default=False),
]
WIDEST = 10_000
TABLE_NAMES = (
    "slopes|control|sampling|tests|pairs|changes|intervals|classes|contributions|worst|model|accuracy|variance|"
    "tradeoff|instrumented|retrain|posterior|posterior-pairs|all"
)


def analyze(
    cube: CubePath,
    family: FamilyName = None,
    pairs: Annotated[
        str | None, typer.Option(metavar="A:B,...", help="The pairs a family compares.", show_default=False)
    ] = None,
    order: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="What 'consecutive' means.", show_default=False)
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option(metavar="DATASET=ARCH,...", help="Family dataset: the arch of each.", show_default=False),
    ] = None,
    alternative: Annotated[
        str | None,
        typer.Option(
            metavar="two-sided|less|greater", help="First against second. [default: the family's]", show_default=False
        ),
    ] = None,
    pooled: Annotated[
        bool, typer.Option("--pooled/--welch", help="Independent samples: pooled or separate variances.")
    ] = False,
    pair_by: Annotated[
        str | None,
        typer.Option(
            metavar="dense_id|seed", help="What makes a pair. [default: dense_id where known]", show_default=False
        ),
    ] = None,
    save_family: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write the family's members.", show_default=False)
    ] = None,
    measure: Measure = "recall",
    reference: Reference = "accuracy",
    correction: Correction = "bonferroni",
    level: Level = 0.95,
    against: Against = None,
    margin: Margin = 0.10,
    sampling: Annotated[
        bool | None,
        typer.Option(
            "--sampling/--no-sampling",
            help="Correct for the sampling of test images. [default: where the cube allows it]",
            show_default=False,
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Folds of test images for crossed intervals, 0: none. [default: 10]", show_default=False),
    ] = None,
    bayes: Annotated[bool, typer.Option("--bayes", help="Posterior of every column (ArviZ).")] = False,
    save_posterior: Annotated[
        Path | None, typer.Option(metavar="FILE.nc", help="Write the posterior draws.", show_default=False)
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples of BCa intervals, 10000 or more; 0: none.")] = 0,
    exclude: Exclude = "",
    select: Select = None,
    format: Annotated[
        str, typer.Option(metavar="table|csv|json|markdown|latex", help="csv and json are exact.")
    ] = "table",
    table: Annotated[
        str, typer.Option(metavar=TABLE_NAMES, help="Tables to show, with commas; csv: one.", show_default=False)
    ] = "",
    output: Annotated[Path | None, typer.Option(help="File to write; default: print.", show_default=False)] = None,
) -> None:
    """Print intensification slopes with intervals, the comparison with the control, and families of tests.

    Example: rd analyze results.nc --family ratio --select method=sham,mp --format json
    """
    from rdcli.errors import refuse_same, write_text
    from rdstats.files import check_writable, write_document
    from rdstats.tables import FORMATS, TABLES, render
    from rdstats.tables.escape import one_line
    from rdstats.tables.registry import absent, chosen

    check("--format", format, FORMATS)
    for name in table.split(",") if table else ():
        check("--table", name.strip(), [*TABLES, "all"])
    targets = [target for target in (output, save_family, save_posterior) if target is not None]
    for i, target in enumerate(targets):
        refuse_same(target, cube)
        if target.absolute() in [other.absolute() for other in targets[:i]]:
            raise InputError(f"{target}: two outputs cannot have one name")
        check_writable(target)
    with opened_analysis(
        cube, select, exclude, family=family_of(family), measure=measure, reference=reference, correction=correction,
        level=level, margin=margin, against=against, pairs=_pairs(pairs), order=_names(order), arch=_archs(arch),
        alternative=alternative, equal_variance=pooled, pair_by=pair_by, sampling=sampling, folds=folds,
        bayes=bayes or save_posterior is not None or "posterior" in table or (None if table == "all" else False),
        bootstrap=bootstrap,
    ) as analysis:  # fmt: skip
        if save_family is not None and len(analysis.families) != 1:
            raise InputError(f"--save-family: one family is saved; this analysis has {len(analysis.families)}")
        document = render(analysis, format, table)  # whatever is wrong is said before anything is written
        if save_family is not None:
            write_document(save_family, analysis.family.to_json())
        if save_posterior is not None:
            _write_posterior(analysis, save_posterior)
        if format == "table" and output is None and sys.stdout.isatty():
            _print_rich(analysis, table)
            return
        if format in ("csv", "json"):
            asked = chosen(table, format, analysis) if table else ()
            for note in (*analysis.warnings, *absent(analysis, asked)):
                typer.echo(f"rd: note: {one_line(note)}", err=True)
        write_text(document, output)


def family_of(name: str | None) -> object:
    """Return the family's name, or the family that a file holds."""
    from rdstats.families import FAMILIES, Family

    if name is None:
        return None
    if name.endswith(".json"):
        try:
            return Family.from_json(Path(name).read_bytes(), name=name)
        except OSError as error:
            raise InputError(f"--family {name}: {(error.strerror or str(error)).lower()}") from None
    names = [part.strip() for part in name.split(",")]
    for part in names:
        check("--family", part, [*FAMILIES, "all"])
    return names[0] if len(names) == 1 else names


def _names(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",")] if text else None


def _pairs(text: str | None) -> list[tuple[str, str]] | None:
    """Read ``a:b,c:d``."""
    if not text:
        return None
    pairs = []
    for part in text.split(","):
        first, sign, second = part.strip().partition(":")
        if not (first and sign and second) or ":" in second:
            raise InputError(f"--pairs {part}: first:second is accepted, such as mp:up, with commas between pairs")
        pairs.append((first, second))
    return pairs


def _archs(text: str | None) -> dict[str, str] | None:
    """Read ``dataset=arch,dataset=arch``."""
    if not text:
        return None
    archs = {}
    for part in text.split(","):
        dataset, sign, arch = part.strip().partition("=")
        if not (dataset and sign and arch):
            raise InputError(f"--arch {part}: dataset=arch is accepted, such as cifar10=resnet56")
        if dataset in archs:
            raise InputError(f"--arch {text}: {dataset} comes twice")
        archs[dataset] = arch
    return archs


def _write_posterior(analysis: Analysis, path: Path) -> None:
    """Write the posterior whole or not at all."""
    from rdstats.files import create_temporary, replace_file

    temporary = create_temporary(path)
    try:
        analysis.posterior.to_netcdf(str(temporary))  # type: ignore[union-attr]
        replace_file(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def opened_analysis(
    path: Path,
    select: list[str] | None,
    exclude: str,
    run: Callable[..., Analysis] | None = None,
    **options: Any,
) -> Iterator[Analysis]:
    """Open a cube, analyse the selected part, and keep the file open as long as the analysis is in use.

    Charts read predictions and matrices of ``analysis.cube`` only when they are drawn.  ``run`` takes the place of
    `rdstats.analyze`.
    """
    from rdstats.analysis import analyze as analyze_cube
    from rdstats.cube import open_cube

    if exclude:
        check("--exclude", exclude, ("degenerate",))
    with open_cube(path) as cube:
        part = select_part(cube, select or [])
        yield (run or analyze_cube)(part, exclude_degenerate=bool(exclude), **options)


def check(option: str, value: str, accepted: object) -> None:
    """Refuse a value that is not among the accepted ones."""
    names = [str(name) for name in accepted]  # type: ignore[attr-defined]
    if value not in names:
        raise InputError(f"{option} {value}{nearest(value, names)}: {one_of(names)} is accepted")


def select_part(cube: xr.Dataset, options: list[str]) -> xr.Dataset:
    """Apply ``--select dim=value`` options; several of one dimension add up."""
    from rdstats.cube import select

    wanted: dict[str, list[str]] = {}
    for option in options:
        dim, sign, values = option.partition("=")
        if not sign or not values:
            raise InputError(f"--select {option}: dim=value is accepted, such as method=mp or ratio=2,4")
        labels = wanted.setdefault(dim, [])
        labels.extend(value for value in values.split(",") if value not in labels)
    if not wanted:
        return cube
    if "ratio" in wanted and "ratio" in cube.coords and _controls(cube, wanted) and 1 in cube["ratio"].values:
        wanted["ratio"] = [*wanted["ratio"], *([] if any(float(v) == 1 for v in _numbers(wanted["ratio"])) else ["1"])]
    part = select(cube, **wanted)
    part = part.sortby("ratio") if "ratio" in wanted else part  # consecutive ratios go up
    return part.assign_attrs(selected=" ".join(f"{dim}={','.join(labels)}" for dim, labels in wanted.items()))


def _controls(cube: xr.Dataset, wanted: dict[str, list[str]]) -> bool:
    """Return whether a control is selected: its networks, at ratio 1, stay beside the selected ratios."""
    methods = wanted.get("method") or (cube["method"].values.tolist() if "method" in cube.coords else [])
    return any(str(name).split("-")[0] == "sham" for name in methods)


def _numbers(texts: list[str]) -> list[float]:
    numbers = []
    for text in texts:
        try:
            numbers.append(float(text))
        except ValueError:
            numbers.append(float("nan"))  # select() says what is wrong with it
    return numbers


def _print_rich(analysis: Analysis, names: str) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from rdstats.tables import TABLES, to_text
    from rdstats.tables.registry import absent, chosen

    console = Console()
    for table in [part for name in chosen(names, "table", analysis) for part in TABLES[name].tables(analysis)]:
        lines = to_text(table, WIDEST).split("\n\n", 1)[0].splitlines()
        if max(map(len, lines)) > console.width:
            typer.echo(to_text(table, console.width))  # continued below itself, nothing is cut off
            continue
        shown = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for i, column in enumerate(table.columns):
            numeric = table.is_numeric(i)
            shown.add_column(Text(column), justify="right" if numeric else "left", no_wrap=numeric)
        for row in table.rows:
            shown.add_row(*map(Text, row))
        caption = f"\n{table.caption}\n" if table.caption else ""
        console.print(Text(table.title, "bold"), shown, Text(caption, "dim"), sep="\n")
    for note in (*analysis.warnings, *absent(analysis, chosen(names, "table", analysis) if names else ())):
        console.print(Text(f"note: {note}", "yellow"))
