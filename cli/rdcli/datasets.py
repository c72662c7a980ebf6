"""`rd datasets`: which data sets are there."""

from __future__ import annotations

from typing import Annotated

import typer

from rdcli.compute import DataDir


def datasets(
    data_dir: DataDir = None,
    download: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Get this data set with torchvision; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """List the data sets, whether they are on this machine, and how to get those that are not.

    Example: rd datasets --download cifar10 --data-dir data
    """
    from rdcompute.datasets import check_dataset_name, dataset_names, status
    from rdcompute.datasets import download as fetch
    from rdcompute.datasets.folders import search_folders

    for name in download or ():
        check_dataset_name(name)
    for name in download or ():
        typer.echo(f"{name}: {fetch(name, data_dir) or 'built in'}")
    if download:
        return
    for name in dataset_names():
        entry = status(name, data_dir)
        place = str(entry.where) if entry.where else "built in" if entry.present else "not here"
        typer.echo(f"{name:14} {place:40} {entry.description}")
        if not entry.present:
            typer.echo(f"{'':14} expected: {entry.expected}\n{'':14} {entry.how_to_get}")
    typer.echo(f"looked in {' and '.join(map(str, search_folders(data_dir)))}: the DIR above (--data-dir, RD_DATA_DIR)")
    typer.echo("any other      a file NAME.npz with train_images, train_labels, test_images, test_labels")
