"""`rd analyze`: families and their files, what is compared against what, and every table, by the real entry point."""

from __future__ import annotations

import csv
import io
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdstats import Family, declare, run_family
from rdstats.bayes import import_arviz
from rdstats.records import control_records, interval_records, plain, sampling_records
from rdstats.tables import TABLES

PLACES = (("mnist", "lenet"), ("cifar10", "resnet20"), ("cifar10", "resnet56"))
ARMS = {"sham": 1.0, "mp": (1.2, 1.3), "up": (0.9, 0.8)}


@pytest.fixture(scope="module")
def make_study():
    path = Path(__file__).parents[1] / "rdstats" / "studies.py"
    return runpy.run_path(str(path), run_name="studies")["make_study"]


@pytest.fixture(scope="module")
def folder(make_study, tmp_path_factory):
    """A folder with cubes: places (three of them, matrices only), seen (with predictions) and alone (one seed)."""
    folder = tmp_path_factory.mktemp("families")
    for name, options in {
        "places": {"arms": ARMS, "places": PLACES, "keep": "matrices", "achieved": {}, "images": 40, "classes": 4},
        "bare": {"arms": {"mp": 1.2, "up": (0.9, 0.8)}, "keep": "matrices", "achieved": {}, "images": 40},
        "seen": {"arms": {"sham": 1.0, "mp": (1.2, 1.3)}, "keep": "predictions", "images": 100},
        "alone": {"arms": {"sham": 1.0, "mp": 1.2}, "seeds": 1, "images": 100},
    }.items():
        rdstats.save(make_study(**options), folder / f"{name}.nc")
    return folder


@pytest.fixture
def places(folder):
    return folder / "places.nc"


@pytest.fixture
def seen(folder):
    return folder / "seen.nc"


@pytest.fixture(scope="module")
def analyzed(folder):
    """Return the analysis that the library makes of a cube; equal calls share it."""
    known = {}

    def of(name, **options):
        key = name, repr(options)
        if key not in known:
            with rdstats.open_cube(folder / f"{name}.nc") as cube:
                known[key] = rdstats.analyze(cube, **options)
        return known[key]

    return of


def document(rd, *arguments):
    """Return the JSON document of a call."""
    assert rd("analyze", *arguments, "--format", "json") == 0, rd.stderr
    return json.loads(rd.stdout)


# arguments -> the families, each with what it is declared with
CHOICES = {
    "--family arch --welch": [("arch", {"quantity": "delta", "equal_variance": False})],
    "--family arch --pooled": [("arch", {"quantity": "delta", "equal_variance": True})],
    "--family arch --against one": [("arch", {"quantity": "slope"})],
    "--family method": [("method", {})],
    "--family method-by-arch": [("method-by-arch", {})],
    "--family matched --pairs mp:up": [("matched", {"pairs": [("mp", "up")]})],
    "--family dataset --arch mnist=lenet,cifar10=resnet20": [
        ("dataset", {"quantity": "delta", "arch": {"mnist": "lenet", "cifar10": "resnet20"}})
    ],
    "--order 4,2": [("ratio", {"order": [4, 2]})],
    "--pairs 4:2": [("ratio", {"pairs": [(4, 2)]})],
    "--alternative two-sided": [("ratio", {"alternative": "two-sided"})],
    "--pair-by seed": [("ratio", {"pair_by": "seed"})],
    "--family dataset,ratio --arch cifar10=resnet56": [
        ("dataset", {"quantity": "delta", "arch": {"cifar10": "resnet56"}}),
        ("ratio", {}),
    ],
}


@pytest.mark.parametrize("arguments", CHOICES)
def test_families_are_those_of_the_library(rd, folder, analyzed, arguments):
    name = "places" if "arch" in arguments else "bare"
    found = document(rd, folder / f"{name}.nc", *arguments.split())
    networks, tests = analyzed(name).slopes, iter(found["tests"])
    for (family_name, options), described in zip(CHOICES[arguments], found["families"], strict=True):
        family = declare(family_name, networks, **options)
        result = run_family(networks, family)
        assert described == {**family.describe(), "missing": 0, "pair_by": result.attrs["pair_by"]}
        for i, member in enumerate(family.members):
            test = next(tests)
            assert test["column"] == member.column
            for key in ("estimate", "p", "p_corrected", "df", "lower", "upper"):
                assert test[key] == plain(result[key].values[i])
    assert next(tests, None) is None
    assert [f"rd: note: {line}" for line in found["family"]["warnings"]] == rd.stderr.splitlines()


def test_all_says_what_could_not_be_run(rd, places):
    found = document(rd, places, "--family", "all")
    assert [family["name"] for family in found["families"]] == ["ratio", "arch", "method", "method-by-arch"]
    skipped = [line for line in found["family"]["warnings"] if "not run" in line]
    assert [line.split()[1] for line in skipped] == ["dataset", "matched"]
    assert "several archs (resnet20, resnet56)" in skipped[0]


def test_a_saved_family_runs_again(rd, places, tmp_path):
    path = tmp_path / "own.json"
    chosen = ["--family", "arch", "--order", "resnet56,resnet20", "--alternative", "less", "--correction", "holm",
              "--level", "0.9", "--pooled", "--against", "one"]  # fmt: skip
    first = document(rd, places, *chosen, "--save-family", path)
    saved = Family.from_json(path.read_bytes())
    words = (saved.name, saved.alternative, saved.correction, saved.level, saved.equal_variance)
    assert words == ("arch", "less", "holm", 0.9, True)
    assert len(saved.members) == len(first["tests"]) == 4
    again = document(rd, places, "--family", path)
    assert again["tests"] == first["tests"]
    assert again["families"] == first["families"]
    # members that were taken out stay out
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"members": content["members"][:1]}))
    (only,) = document(rd, places, "--family", path)["tests"]
    changed = {"p_corrected", "lower", "upper", "m"}
    assert {k: v for k, v in only.items() if k not in changed} == {
        k: v for k, v in first["tests"][0].items() if k not in changed
    }
    assert only["m"] == first["tests"][0]["m"] == 1


def test_saving_a_family_does_not_change_what_is_printed(rd, folder, tmp_path):
    cube = folder / "bare.nc"
    printed = document(rd, cube)
    assert document(rd, cube, "--save-family", tmp_path / "ratio.json") == printed
    assert Family.from_json((tmp_path / "ratio.json").read_bytes()).name == "ratio"


def test_against_and_margin(rd, seen, analyzed):
    expected = control_records(analyzed("seen"))
    assert document(rd, seen, "--folds", "0", "--against", "one")["control"] == []
    wide = document(rd, seen, "--folds", "0", "--against", "sham", "--margin", "0.5")
    assert [r["mean"] for r in wide["control"]] == [r["mean"] for r in expected] != []
    assert all(w["p_equivalent"] < e["p_equivalent"] for w, e in zip(wide["control"], expected, strict=True))
    assert rd("analyze", seen, "--folds", "0", "--margin", "0.5", "--table", "control") == 0
    assert "|delta| < 0.5" in " ".join(rd.stdout.split())


def test_sampling(rd, seen, places, analyzed):
    assert sampling_records(analyzed("places")) == []
    bounds = document(rd, places, "--sampling")["sampling"]
    assert len(bounds) == len(document(rd, places)["slopes"])
    assert {record["mean"] for record in bounds} == {None}
    none = document(rd, seen, "--no-sampling", "--folds", "0")
    assert none["sampling"] == []
    assert {record["corrected"] for record in none["control"]} == {None}


def test_folds_and_sampling_are_the_default_with_predictions(rd, seen, analyzed):
    found = {folds: document(rd, seen, *folds) for folds in ((), ("--folds", "5"), ("--folds", "0"))}
    assert found[()]["intervals"] == interval_records(analyzed("seen")) != []
    assert found[()]["sampling"] == found["--folds", "0"]["sampling"] == sampling_records(analyzed("seen")) != []
    five = [r["crossed_lower"] for r in found["--folds", "5"]["intervals"]]
    assert five != [r["crossed_lower"] for r in found[()]["intervals"]]
    assert found["--folds", "0"]["intervals"] == []


def test_bootstrap(rd, make_study, tmp_path):
    cube = make_study({"mp": 1.2}, seeds=20, ratios=(2,), images=20, classes=3, keep="matrices")
    rdstats.save(cube, tmp_path / "many.nc")
    (record,) = document(rd, tmp_path / "many.nc", "--bootstrap", "10000")["intervals"]
    (expected,) = interval_records(rdstats.analyze(cube, bootstrap=10_000))
    assert record == expected
    assert None not in (record["bca_lower"], record["bca_upper"])


def test_posterior(rd, folder, seen, analyzed, tmp_path):
    assert rd("analyze", folder / "bare.nc", "--bayes") == 0
    assert "P(slope>1)" in rd.stdout
    path = tmp_path / "draws.nc"
    # asking for draws, or for their table, is asking for a posterior
    arguments = ["--folds", "0", "--save-posterior", path, "--table", "posterior", "--format", "csv"]
    assert rd("analyze", seen, *arguments) == 0
    rows = list(csv.DictReader(io.StringIO(rd.stdout)))
    draws = import_arviz().from_netcdf(str(path))
    slope = draws.posterior["slope"]
    assert dict(slope.sizes) == {"chain": 4, "draw": 1000, "cell": 3}
    at = slope["cell"].values.tolist().index("digits lenet mp 4")
    row = next(r for r in rows if (r["method"], r["ratio"]) == ("mp", "4"))
    assert float(row["mean"]) == pytest.approx(slope.isel(cell=at).mean().item(), rel=1e-12)
    assert float(row["p_above_one"]) == (slope.isel(cell=at) > 1).mean().item()
    here = {"method": "mp", "ratio": 4.0}
    observed = draws.observed_data["slope"].sel(here).mean().item()
    assert observed == pytest.approx(analyzed("seen").summary["mean"].sel(here).item(), rel=1e-12)
    draws.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["draws.nc"]


def test_tables_are_those_asked_for(rd, seen, analyzed):
    assert rd("analyze", seen, "--folds", "0", "--table", "worst, classes") == 0
    assert rd.stdout.index("Worst class") < rd.stdout.index("Classes\n-------")
    assert "Against the control" not in rd.stdout
    whole = document(rd, seen, "--table", "all")
    assert set(TABLES) <= set(whole)
    for name, kind in TABLES.items():
        if name not in ("pairs", "changes", "posterior", "posterior-pairs"):
            assert whole[name] == json.loads(json.dumps(kind.records(analyzed("seen")))) != [], name
    assert whole["posterior"] != [] != whole["posterior-pairs"]
    assert rd("analyze", seen, "--folds", "0", "--table", "posterior-pairs", "--format", "csv") == 0
    assert next(csv.DictReader(io.StringIO(rd.stdout)))["family"] == "ratio"


def test_a_table_without_an_answer_says_what_it_needs(rd, folder):
    assert rd("analyze", folder / "bare.nc", "--table", "control,intervals", "--format", "json") == 0
    lines = [line for line in rd.stderr.splitlines() if "nothing to show" in line]
    assert [line.split(":")[2].strip() for line in lines] == ["table control", "table intervals"]
    assert "a control (method sham at ratio 1)" in lines[0]


def test_the_control_stays_beside_selected_ratios(rd, seen):
    found = document(rd, seen, "--folds", "0", "--select", "ratio=4")
    assert [(r["method"], r["ratio"], r["k"]) for r in found["control"]] == [("mp", 4, 1)]
    assert [(r["method"], r["ratio"]) for r in found["slopes"]] == [("sham", 1), ("mp", 4)]
    alone = document(rd, seen, "--folds", "0", "--select", "ratio=4", "--select", "method=mp")
    assert alone["control"] == []
    assert [r["ratio"] for r in alone["slopes"]] == [4]


def test_tables_of_single_pairs(rd, folder, analyzed):
    found = document(rd, folder / "alone.nc")
    for name in ("pairs", "changes"):
        assert found[name] == json.loads(json.dumps(TABLES[name].records(analyzed("alone")))) != []
    assert found["families"] == found["tests"] == []
    assert rd("analyze", folder / "alone.nc") == 0
    for title in ("One pair of networks\n", "Changes class by class\n"):
        assert title in rd.stdout
    bounds = document(rd, folder / "bare.nc", "--select", "seed=0")["pairs"]
    assert bounds[0]["bound_lower"] is not None or bounds[0]["reason"] == "weak_denominator"


# --- wrong input ---

WRONG = [
    (["--family", "dataset", "--select", "dataset=mnist"], ["dataset", "nothing to compare", "mnist"]),
    (["--family", "dataset"], ["cifar10 has several archs (resnet20, resnet56)", "--arch cifar10=resnet56"]),
    (["--family", "dataset", "--arch", "cifar10"], ["--arch cifar10", "dataset=arch"]),
    (["--family", "dataset", "--arch", "cifar10=resnet20,cifar10=resnet56"], ["cifar10 comes twice"]),
    (["--family", "dataset", "--arch", "cifar10=resnet57"], ["did you mean 'resnet56'"]),
    (["--family", "ratio", "--arch", "cifar10=resnet56"], ["--arch", "dataset"]),
    (["--family", "arch", "--order", "resnet20,resnet57"], ["resnet57", "did you mean 'resnet56'"]),
    (["--family", "arch", "--order", "resnet20,resnet20"], ["--order: resnet20 comes twice"]),
    (["--family", "ratio,method", "--order", "4,2"], ["--order", "one family"]),
    (["--family", "all", "--pairs", "2:4"], ["--pairs", "one family"]),
    (["--family", "method", "--order", "mp,up"], ["method takes no --order"]),
    (["--pairs", "2"], ["--pairs 2", "first:second"]),
    (["--pairs", "2:4:8"], ["--pairs 2:4:8", "first:second"]),
    (["--pairs", "2:2"], ["two different ratio labels"]),
    (["--pairs", "2:5"], ["--pairs: ratio has no 5"]),
    (["--family", "matched"], ["say which criterion and which twin", "--pairs a:b"]),
    (["--family", "ratio,methods"], ["--family methods", "did you mean 'method'"]),
    (["--family", "ratio,"], ["--family "]),
    (["--level", "0"], ["level 0"]),
    (["--margin", "0"], ["margin"]),
    (["--alternative", "lesser", "--family", "all"], ["lesser", "did you mean 'less'"]),
    (["--pair-by", "id"], ["id", "dense_id, seed"]),
    (["--against", "shame"], ["did you mean 'sham'"]),
    (["--against", "sham", "--select", "method=mp,up"], ["no control"]),
    (["--sampling", "--measure", "precision"], ["correction of precision needs the predictions"]),
    (["--folds", "5"], ["folds of test images needs the predictions"]),
    (["--bootstrap", "10"], ["10000 or more"]),
    (["--family", "ratio", "--select", "seed=0"], ["the cube has one seed"]),
    (["--family", "all", "--select", "seed=0"], ["the cube has one seed"]),
    (["--bayes", "--select", "seed=0"], ["no posterior over seeds"]),
    (["--save-family", "x.json", "--family", "ratio,method"], ["one family is saved", "has 2"]),
    (["--save-family", "x.json", "--select", "seed=0"], ["one family is saved", "has 0"]),
    (["--family", "absent.json"], ["--family absent.json", "no such file"]),
    (["--family", "text.json"], ["text.json", "no family of tests"]),
    (["--family", "other.json"], ["other.json", "alternative 'lesser'"]),
    (["--family", "labels.json"], ["comparison 1", "did you mean 'resnet56'"]),
    (["--family", "folder.json"], ["--family folder.json", "directory"]),
    (["--save-family", "no/x.json"], ["no/x.json", "does not exist"]),
    (["--save-posterior", "no/x.nc"], ["no/x.nc", "does not exist"]),
    (["--save-family", "folder.json"], ["folder.json", "it is a folder"]),
    (["--table", "slope"], ["--table slope", "did you mean 'slopes'"]),
    (["--table", "slopes,test"], ["--table test", "did you mean 'tests'"]),
    (["--table", "slopes,tests", "--format", "csv"], ["a CSV file holds one table"]),
    (["--table", "all", "--format", "csv"], ["a CSV file holds one table"]),
]


@pytest.fixture
def here(tmp_path, monkeypatch, places):
    """Work in a folder with family files of every wrong kind; return what it holds."""
    monkeypatch.chdir(tmp_path)
    selector = {"dataset": "cifar10", "arch": "resnet57", "method": "mp", "ratio": 2}
    members = [{"column": "all", "first": selector, "second": selector | {"ratio": 4}}]
    family = {"name": "own", "members": members, "paired": True, "alternative": "less"}
    Path("text.json").write_text("hello")
    Path("other.json").write_text(json.dumps(family | {"alternative": "lesser"}))
    Path("labels.json").write_text(json.dumps(family))
    Path("folder.json").mkdir()
    return sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize(("options", "words"), WRONG, ids=lambda value: " ".join(value))
def test_wrong_input_is_one_line_and_nothing_is_written(rd, folder, here, options, words):
    about_archs = any(word.startswith(("dataset", "arch", "labels", "sham")) for word in options)
    cube = folder / ("places.nc" if about_archs else "bare.nc")
    more = ["--output", "out.txt"] if "--output" not in options else []
    line = rd.refused("analyze", cube, *options, *more)
    for word in words:
        assert word in line
    assert sorted(p.name for p in Path().iterdir()) == here


@pytest.mark.parametrize(
    "options",
    [
        ["--save-family", "x.json", "--table", "slopes,tests", "--format", "csv"],
        ["--save-posterior", "x.nc", "--save-family", "x.json", "--family", "all"],
    ],
    ids=["csv of two tables", "several families"],
)
def test_what_fails_late_leaves_nothing_behind(rd, places, here, options):
    """A file is only written when the whole call succeeds."""
    rd.refused("analyze", places, *options)
    assert sorted(p.name for p in Path().iterdir()) == here


@pytest.mark.parametrize("option", ["--output", "--save-family", "--save-posterior"])
def test_the_cube_is_never_overwritten(rd, places, option):
    before = places.read_bytes()
    line = rd.refused("analyze", places, option, places)
    assert places.read_bytes() == before
    assert "is the cube itself and would be lost" in line
    assert option == "--output" or "--output" not in line


def test_two_files_of_one_name(rd, places, here):
    """The second would replace the first."""
    line = rd.refused("analyze", places, "--output", "x", "--save-family", "x")
    assert "x" in line
    assert sorted(p.name for p in Path().iterdir()) == here


def cube_with_ids(make_study, path, ids):
    """Save a cube of two archs whose dense_id are `ids` over (seed, arch, method)."""
    places = [("digits", "a"), ("digits", "b")]
    cube = make_study({"mp": 1.2, "up": 1.0}, places=places, seeds=4, images=20, classes=3, keep="matrices", ids=False)
    dims = ("seed", "dataset", "arch", "method")
    names = np.array([[[[ids(s, a, m) for m in ("mp", "up")] for a in "ab"]] for s in range(4)], object)
    dense = cube["confusion_dense"].expand_dims(method=cube["method"], axis=3).values.copy()
    if ids(0, "a", "mp") == ids(0, "b", "mp"):
        dense[:, :, 1] = dense[:, :, 0]
    core = ("true_class", "predicted_class")
    cube = cube.assign(dense_id=(dims, names), confusion_dense=((*dims, *core), dense))
    rdstats.save(cube, path)
    return path


def test_pairs_need_equal_dense_networks_and_independent_samples_others(rd, make_study, tmp_path):
    by_method = cube_with_ids(make_study, tmp_path / "a.nc", lambda s, a, m: f"{s}{a}{m}")
    line = rd.refused("analyze", by_method, "--family", "method")
    assert "their dense networks differ" in line
    assert rd("analyze", by_method, "--family", "method", "--pair-by", "seed") == 0
    assert "paired by seed" in " ".join(rd.stdout.split())
    shared = cube_with_ids(make_study, tmp_path / "b.nc", lambda s, a, m: f"{s}")
    line = rd.refused("analyze", shared, "--family", "arch")
    assert "they share dense networks (0); use paired samples" in line
    assert rd("analyze", by_method, "--family", "arch") == 0


def test_a_dimension_that_is_not_there(rd, tmp_path):
    matrix = np.tile([[9.0, 1], [3, 7]], (5, 2, 1, 1))
    rdstats.save(
        rdstats.build(matrix[:, 0], matrix, dims=("seed", "ratio"), coords={"ratio": [2, 4]}), tmp_path / "r.nc"
    )
    for family, dim in (("arch", "arch"), ("dataset", "dataset"), ("method", "method"), ("method-by-arch", "method")):
        line = rd.refused("analyze", tmp_path / "r.nc", "--family", family)
        assert f"--family {family}: the cube has no dimension {dim}; it has ratio" in line
