"""`python -m benchmarks`: names, files, a benchmark that fails, one that somebody adds."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import benchmarks
from benchmarks import __main__ as command
from benchmarks.results import Part, Results, default_path
from benchmarks.row import Aim, Row, Sample
from rdstats.errors import InputError

FOLDER = Path(benchmarks.__file__).parent
ROW = Row("rd report", Sample.of([1.0, 1.1, 1.2]), "s", aim=Aim("at most", 1))


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace all benchmarks by two, of which the first fails."""

    def fails() -> list[Row]:
        raise RuntimeError("no\nsuch file")

    for name, rows in (("bad", fails), ("good", lambda: [ROW])):
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", SimpleNamespace(rows=rows))
    monkeypatch.setattr(command, "NAMES", ("bad", "good"))
    monkeypatch.setattr(command, "GROUPS", {"both": ("good", "bad")})


def rows_functions() -> dict[str, ast.FunctionDef]:
    """Return the function `rows` of every module that has one."""
    found = {}
    for path in FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "rows":
                found[path.stem] = node
    return found


def test_every_benchmark_has_rows_and_its_name_in_the_list() -> None:
    functions = rows_functions()
    assert set(functions) == set(command.NAMES)
    for name, function in functions.items():
        given = function.args
        assert len(given.defaults) == len(given.args), name  # rows() can be called without arguments
        assert all(default is not None for default in given.kw_defaults), name
        assert function.returns is not None, name
        assert ast.unparse(function.returns) == "list[Row]", name


def test_names_and_groups() -> None:
    assert command.modules([]) == list(command.NAMES)
    assert command.modules(["compare", "any_model", "compare"]) == ["compare", "importing"]


@pytest.mark.usefixtures("two")
def test_a_failure_is_told_and_the_others_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "run.json"
    assert command.main(["--json", str(path)]) == 1
    out = capsys.readouterr().out
    assert "FAILED: RuntimeError: no such file" in out
    assert "rd report" in out
    assert "aims missed: rd report" in out
    assert out.splitlines()[-1] == f"written: {path}"
    run = Results.read(path)
    assert [(part.name, part.rows, part.error) for part in run.parts] == [
        ("bad", (), "RuntimeError: no such file"),
        ("good", (ROW,), ""),
    ]
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


@pytest.mark.usefixtures("two")
def test_file_has_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert command.main(["good", "--json", str(path)]) == 0
    document = json.loads(path.read_text())
    assert document["schema"] == 1
    assert {"processor", "cores", "memory_gib", "python", "torch", "numpy", "commit", "date"} <= set(
        document["machine"]
    )
    assert document["benchmarks"][0]["rows"][0]["met"] is False
    assert set(document["benchmarks"][0]) == {"name", "rows", "seconds", "load_before", "load_after", "error"}


def test_default_file_is_named_after_date_and_commit() -> None:
    machine = {"date": "2026-01-02T03:04:05+00:00", "commit": "0d240fdbcfc0-dirty"}
    path = default_path(machine)
    assert path.name == "20260102-030405-0d240fd.json"
    assert FOLDER.parent not in path.parents
    assert default_path({**machine, "commit": ""}).name == "20260102-030405.json"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Return two runs, the second of them slower."""
    paths = []
    for name, factor in (("old", 1.0), ("new", 1.5)):
        slower = Row("rd report", ROW.value.times(factor), "s")
        Results({"torch": "2.6"}, [Part("report", (slower,), 1.0, 0.1, None)]).write(tmp_path / name)
        paths.append(str(tmp_path / name))
    return paths[0], paths[1]


def test_compare(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--compare", *files]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.startswith("rd report")] == [
        ["rd", "report", "[s]", "1.100", "1.650", "1.500", "more", "(worse)"]
    ]
    assert "report: load 0.10 | load 0.10" in out
    assert command.main(["--compare", *files, "--fail-above", "1.2"]) == 1
    assert capsys.readouterr().out.endswith("worse by more than a factor 1.2: report, rd report [s]\n")
    assert command.main(["--compare", *files, "--fail-above", "1.6"]) == 0
    assert command.main(["--compare", *reversed(files), "--fail-above", "1.2"]) == 0


def test_compare_some_benchmarks_only(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["training", "--compare", *files, "--fail-above", "1.2"]) == 0
    assert "rd report" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read {path}: No such file or directory"),
        ("{", "{path}: not JSON; accepted is what python -m benchmarks --json wrote"),
        ("[" * 100_000, "{path}: not JSON; accepted is what python -m benchmarks --json wrote"),
        ("[]", "{path}: JSON, but not of python -m benchmarks --json"),
        ('{"schema": 1, "machine": {}}', "{path}: JSON, but not of python -m benchmarks --json"),
        ('{"schema": 1, "machine": {}, "benchmarks": [{"name": "a", "rows": [{}]}]}',
         "{path}: JSON, but not of python -m benchmarks --json"),
        ('{"schema": 2, "machine": {}, "benchmarks": []}', "{path}: schema 2; up to 1 is accepted"),
    ],
)  # fmt: skip
def test_wrong_files(
    content: str | None, message: str, files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.json"
    if content is not None:
        path.write_text(content)
    assert command.main(["--compare", files[0], str(path)]) == 2
    assert capsys.readouterr().err == f"benchmarks: {message.format(path=path)}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trainig"], "no benchmark 'trainig' (did you mean 'training'?); there are training, "),
        (["--fail-above", "2"], "--fail-above belongs to --compare OLD NEW"),
        (["--compare", "a", "b", "--fail-above", "nan"], "--fail-above nan: a factor from 1 is accepted"),
        (["--compare", "a", "b", "--json", "c"], "--json is where a run is written; --compare runs nothing"),
        (["--json", ""], "cannot write '.': no name of a file"),
    ],
)
def test_wrong_words(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"benchmarks: {message}")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("two")
def test_a_file_that_cannot_be_written_is_known_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert command.main(["good", "--json", str(tmp_path / "file" / "run.json")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("benchmarks: cannot write ")
    assert captured.out == ""


def test_results_that_cannot_be_read_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        Results.read(tmp_path)
