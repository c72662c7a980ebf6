"""Install the package without extras into a new environment and use it there as a reader of the README would.

    make bare        # or: python tests/packaging/bare_install.py

A wheel is built from a copy of the sources and installed with what it requires, and nothing else.  Every command runs
outside the checkout, on real files: those that need PyTorch or pyarrow must say so in one line, the others must work.
Ends with status 1 and the output of the command where something is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "rdstats", "rdcompute", "cli")
EXTRAS = ("torch", "torchvision", "sklearn", "pyarrow", "dask", "polars")
NO_TORCH, NO_PARQUET = "pip install 'recall-distortion[compute]'", "pip install 'recall-distortion[parquet]'"
LOADED = """
import sys
before = set(sys.modules)
import rdstats
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))
"""
MISSING = f"""
from importlib.util import find_spec
print([name for name in {EXTRAS} if find_spec(name)])
"""
COMPUTE = """
import numpy as np
from rdcli.main import main
images = np.random.default_rng(0).integers(0, 255, (60, 12, 12), np.uint8)
parts = {"images": images, "labels": np.arange(60) % 3}
np.savez("bars.npz", **{f"{part}_{name}": own for part in ("train", "test") for name, own in parts.items()})
main()
"""
GRID = """\
name: small
seeds: 1
ratio: [2]
experiments:
  - {dataset: bars.npz, arch: lenet, method: [sham, mp]}
training:
  lenet: {batch_size: 16, train: [[1, 0.05]], finetune: [[1, 0.05]]}
"""


class Failed(Exception):
    """A command did not end as it must."""


def run(*command: object, status: int = 0, says: str = "", cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a command and return its stdout; a refusal (status 2) must be one line on stderr."""
    texts = [str(part) for part in command]
    done = subprocess.run(texts, cwd=cwd, env=env, capture_output=True, text=True)
    one_line = status != 2 or (done.stderr.count("\n") == 1 and not done.stdout)
    if done.returncode != status or not one_line or says not in done.stdout + done.stderr:
        wanted = f"status {status}{f' and {says!r}' if says else ''}"
        raise Failed(
            f"{' '.join(texts)}\nended with status {done.returncode}; {wanted} is right\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def install(folder: Path, pip_args: list[str]) -> Path:
    """Build a wheel, install it into a new environment and return its Python."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder / "wheel", source, cwd=folder)
    (wheel,) = (folder / "wheel").glob("*.whl")
    shutil.rmtree(source)
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)  # ours installs there
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    # modules that are used are compiled when they are, the others not at all
    run(*pip, "--python", python, "install", "-q", "--no-compile", *pip_args, wheel, cwd=folder)
    return python


def write_files(folder: Path) -> None:
    """Write what a user has: predictions as columns, a mapping, two confusion matrices, a file named Parquet."""
    labels = [i % 3 for i in range(600)]
    dense = [(c + 1) % 3 if i % (11 - 2 * c) == 0 else c for i, c in enumerate(labels)]
    pruned = [(c + 1) % 3 if c == 2 and i % 4 == 0 else p for i, (c, p) in enumerate(zip(labels, dense, strict=True))]
    columns = {"truth": labels, "big": dense, "small": pruned}
    rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "table.csv").write_text("\n".join(rows) + "\n")
    (folder / "how.yaml").write_text("true: truth\npredicted: [big, small]\nbefore: big\nclasses: names.txt\n")
    (folder / "names.txt").write_text("0\n1\n2\n")
    (folder / "before.csv").write_text("900,100\n300,700\n")
    (folder / "after.csv").write_text("700,300\n500,500\n")
    (folder / "table.parquet").write_bytes(b"PAR1")
    (folder / "small.yaml").write_text(GRID)


def check_package(python: Path, cwd: Path, env: dict[str, str]) -> None:
    """No extra is there, and `import rdstats` loads the installed package, and nothing else."""
    run(python, "-c", MISSING, says="[]", cwd=cwd, env=env)
    run(python, "-c", LOADED, says="['rdstats']", cwd=cwd, env=env)
    own = str(python.parents[1])
    run(python, "-c", "import rdstats; print(rdstats.__file__)", says=own, cwd=cwd, env=env)


CUBES = (
    ("import table.csv --mapping how.yaml --output cube.nc", 0, "cube: cube.nc, 1 cells"),
    ("assemble small.run --output part.nc --data-dir .", 0, "3 of 3 cells"),
)
COMPARED = "compare table.csv:big table.csv:small --labels table.csv:truth --fail-if"
COMMANDS = (
    (f"{COMPARED} worst_recall_drop>1%", 3, "FAILED: worst_recall_drop > 0.01"),
    (f"{COMPARED} accuracy_drop>50%", 0, "passed: accuracy_drop > 0.5"),
    ("compare before.csv after.csv --format markdown --report pair.html", 0, "Slope 1.333"),
    ("analyze cube.nc --format csv --table slopes", 0, "expected_error"),
    ("report cube.nc --output page.html", 0, ""),
    ("plot cube.nc --figure classes --output classes.svg", 0, ""),
    ("info cube.nc", 0, "confusion-matrix cube"),
    ("datasets", 0, "pip install scikit-learn"),
    ("grid list", 0, "demo.yaml"),
    ("status small.run --data-dir .", 0, "3/3"),
    ("merge small.nc part.nc --output all.nc", 0, "all.nc"),
    ("compute --grid small.yaml", 2, NO_TORCH),
    ("plan small.yaml", 2, NO_TORCH),
    ("retry small.run", 2, NO_TORCH),
    ("merge small.run small.run --output all.run", 2, NO_TORCH),
    ("import table.parquet --output z.nc", 2, NO_PARQUET),
    ("compare table.parquet:a table.parquet:b --labels table.csv:truth", 2, NO_PARQUET),
)
"""What follows `rd`, the status it ends with, what it says; these take the cubes of the first two."""
WRITTEN = {"pair.html": "<!DOCTYPE html>", "page.html": "<!DOCTYPE html>", "classes.svg": "<svg"}


def compute(cwd: Path, env: dict[str, str]) -> None:
    """Compute a run directory with the environment that this script runs in."""
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")])}
    options = ("--grid", "small.yaml", "--output", "small.nc", "--data-dir", cwd, "--quiet")
    run(sys.executable, "-c", COMPUTE, "compute", *options, cwd=cwd, env=env | paths)


def check_commands(rd: Path, cwd: Path, env: dict[str, str]) -> None:
    """Every command, two at a time once the cubes are there."""

    def check(command: tuple[str, int, str]) -> None:
        text, status, says = command
        run(rd, *text.split(), status=status, says=says, cwd=cwd, env=env)

    with ThreadPoolExecutor(2) as pool:
        for commands in (CUBES, COMMANDS):
            list(pool.map(check, commands))
    for name, start in WRITTEN.items():
        if not (cwd / name).read_text().startswith(start):
            raise Failed(f"{name} does not begin with {start}")


def main(arguments: list[str]) -> int:
    """Install, check, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pip-args", default="", help="options of pip, in one text")
    chosen = parser.parse_args(arguments)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        files = folder / "files"
        files.mkdir()
        try:
            write_files(files)
            with ThreadPoolExecutor(1) as pool:
                computed = pool.submit(compute, files, env)
                python = install(folder, chosen.pip_args.split())
                computed.result()
            installed = time.perf_counter() - started
            check_package(python, files, env)
            check_commands(next(python.parent.glob("rd*")), files, env)
        except Failed as error:
            print(f"bare install: {error}", file=sys.stderr)
            return 1
    print(f"bare install: works, {time.perf_counter() - started:.0f} s, {installed:.0f} s of them to install")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
