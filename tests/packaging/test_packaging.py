"""The wheel holds exactly the tracked files of the three packages, and installs into an empty environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from rdstats._version import __version__

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"rdstats": "rdstats/", "rdcompute": "rdcompute/", "cli/rdcli": "rdcli/"}


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, so that building leaves nothing in the checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no list of tracked files to compare with")
    copy = tmp_path_factory.mktemp("source")
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


def test_wheel_installs_exactly_the_tracked_files(tracked: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, tracked, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"recall_distortion-{__version__}-py3-none-any.whl"

    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = next((tmp_path / "venv" / scripts).glob("python*"))
    run(*pip, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())

    installed = {
        p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }
    installed = {name for name in installed if name.startswith(tuple(PACKAGES.values()))}
    expected = {
        target + path.relative_to(tracked / source).as_posix()
        for source, target in PACKAGES.items()
        for path in (tracked / source).rglob("*")
        if path.is_file()
    }
    assert installed == expected
    assert {f"{name}py.typed" for name in PACKAGES.values()} <= installed
    # nothing but the standard library is there: the package itself imports, and rd exists
    assert run(python, "-c", "import rdstats; print(rdstats.__version__)", cwd=tmp_path).strip() == __version__
    assert list((tmp_path / "venv" / scripts).glob("rd*"))


def test_no_top_level_module_called_cli_reaches_site_packages() -> None:
    site = Path(sysconfig.get_path("purelib"))
    assert not (site / "cli").exists()
    assert not (site / "cli.py").exists()


def test_extras_and_requirements_are_as_documented() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = {name.split(">")[0] for name in project["dependencies"]}
    assert core == {
        "numpy", "scipy", "statsmodels", "xarray", "netcdf4", "arviz", "altair", "vl-convert-python",
        "typer", "rich", "pydantic", "pyyaml", "jinja2", "platformdirs",
    }  # fmt: skip
    assert {"compute", "cluster", "test"} <= set(project["optional-dependencies"])
    assert not any("<" in name or "==" in name for name in project["dependencies"])


def test_analysis_does_not_load_the_compute_backend() -> None:
    code = (
        "import sys, rdstats, rdcli.app; rdstats.analyze; import rdstats.tables;"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'torchvision', 'rdcompute', 'sklearn'}))"
    )
    assert run(sys.executable, "-c", code, cwd=ROOT).strip() == "[]"


def test_citation_and_changelog_name_this_version() -> None:
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
