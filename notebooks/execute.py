"""Run a notebook from top to bottom, and say whether its stored outputs are what it gives today.

    python notebooks/execute.py notebooks/any_model.ipynb            # status 1 where it fails, warns or has changed
    python notebooks/execute.py notebooks/any_model.ipynb --write    # store what it gives

Texts and tables are compared; pictures are drawn from the same numbers and differ with the fonts of a machine.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[1]
MADE_WITH = ("numpy", "pandas", "scikit-learn", "scipy", "xarray")
"""Packages that decide what the cells print, beside ours."""


def execute(stored: NotebookNode) -> NotebookNode:
    """Return the notebook with the outputs of a new kernel, which takes the packages of this checkout.

    Raises
    ------
    CellExecutionError
        A cell fails.
    """
    new = nbformat.from_dict(stored)
    paths = [str(ROOT), str(ROOT / "cli"), os.environ.get("PYTHONPATH", "")]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # small matrices, and the same sums everywhere
    env = os.environ | one_thread | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    client = NotebookClient(
        new, timeout=300, record_timing=False, coalesce_streams=True, resources={"metadata": {"path": str(ROOT)}}
    )
    manager = client.create_kernel_manager()
    with tempfile.TemporaryDirectory() as folder:
        if os.name != "nt":  # a socket of one's own instead of an open port
            manager.transport, manager.ip = "ipc", str(Path(folder) / "kernel")
        client.execute(env=env)
    new.metadata["made_with"] = made_with()
    new.metadata["source"] = source_hash(new)
    new.metadata.get("language_info", {}).pop("version", None)
    return new


def made_with() -> dict[str, str]:
    """Return the versions that the outputs depend on."""
    return {"machine": platform.machine(), **{name: version(name) for name in MADE_WITH}}


def source_hash(notebook: NotebookNode) -> str:
    """Return the hash of all code: outputs of other code are stale, whatever they are."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return hashlib.sha256(code.encode()).hexdigest()


def told_on_stderr(notebook: NotebookNode) -> list[str]:
    """Return warnings and whatever else cells wrote to stderr."""
    return [
        f"cell {cell.id}: {output.text.strip()}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and output.name == "stderr"
    ]


def texts(cell: NotebookNode) -> list[str]:
    """Return what a cell printed and showed, pictures by their kind only."""
    found = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            found.append(f"{output.name}: {output.text}")
        for kind, value in sorted(output.get("data", {}).items()):
            found.append(kind if kind.startswith("image/") else f"{kind}: {value}")
    return found


def changes(stored: NotebookNode, new: NotebookNode) -> list[str]:
    """Return the cells whose stored texts are not those of today, with the lines that differ."""
    found = []
    for old, now in zip(stored.cells, new.cells, strict=True):
        before, after = ("\n".join(texts(cell)).splitlines() for cell in (old, now))
        differ = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        if differ:
            found.append("\n".join([f"cell {old.id}: its output has changed", *differ]))
    return found


def main(arguments: list[str]) -> int:
    """Run a notebook, and compare or store its outputs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--write", action="store_true", help="store the outputs")
    chosen = parser.parse_args(arguments)
    stored = nbformat.read(chosen.notebook, as_version=4)
    try:
        new = execute(stored)
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    found = told_on_stderr(new) + ([] if chosen.write else changes(stored, new))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    if chosen.write and not found:
        nbformat.write(new, chosen.notebook)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
