"""`rd datasets`: which data sets are there."""

from __future__ import annotations

import typer

from rdcli.compute import DataDir


def datasets(data_dir: DataDir = None) -> None:
    """List the data sets, whether they are on this machine, and how to get those that are not.

    Example: rd datasets --data-dir /usr/share/datasets
    """
    from rdcompute.datasets import dataset_names, status
    from rdcompute.datasets.folders import search_folders

    for name in dataset_names():
        entry = status(name, data_dir)
        place = str(entry.where) if entry.where else "built in" if entry.present else "not here"
        typer.echo(f"{name:14} {place:40} {entry.description}")
        if not entry.present:
            typer.echo(f"{'':14} expected: {entry.expected}\n{'':14} {entry.how_to_get}")
    typer.echo(f"looked in {' and '.join(map(str, search_folders(data_dir)))}: the DIR above (--data-dir, RD_DATA_DIR)")
    typer.echo("any other      a file NAME.npz with train_images, train_labels, test_images, test_labels")
