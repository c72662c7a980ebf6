"""Plans: which cells, in which order, under which hash; what is refused before anything is trained."""

import dataclasses
import json

import pytest
from pydantic import Field

from rdcompute.describe import describe_plan
from rdcompute.grid import Grid
from rdcompute.grid_file import load_grid
from rdcompute.masks import kept_count, largest_ratio
from rdcompute.models import parameter_counts
from rdcompute.plan import CELL_SCHEMA, Cell, cell_hash, make_plan
from rdcompute.training_settings import TrainingSettings, settings_for
from rdstats.errors import InputError


def dense_cell(seed=0, dataset="mnist", arch="lenet", settings=None, root_seed=0):
    return Cell(seed, dataset, arch, settings or settings_for(arch, {}), root_seed)


def child(parent, method="mp", ratio=10.0, settings=None):
    return Cell(
        parent.seed, parent.dataset, parent.arch, settings or parent.settings, parent.root_seed, method, ratio, parent
    )


def plan_of(**document):
    return make_plan(Grid.model_validate({"name": "a", "seeds": 1, **document}))


def test_frozen_hashes():
    """Finished results are found by these; a change here orphans them all and must raise CELL_SCHEMA."""
    lenet = dense_cell()
    resnet = dense_cell(7, "cifar10", "resnet56", root_seed=5)
    shrinkbench = settings_for("lenet", {"lenet": {"ratio_accounting": "shrinkbench", "weight_decay": 5e-4}})
    assert CELL_SCHEMA == 1
    assert lenet.key == "42b3b846f8efa5f7a280604e958278e6"
    assert child(lenet, "sham", 1.0).key == "4350e242cb14233e754bfb1f1c3f4845"
    assert child(lenet, "mp", 50).key == "eb7ae9f7a560d589f78b67e98992898c"
    assert child(dense_cell(settings=shrinkbench), "rp", 2.5).key == "29ac8765e81143a871cda114f671214b"
    assert resnet.key == "c3c18886159eb297628ec3672fa6532a"
    assert child(resnet, "up", 10).key == "5d75493d2f8635e8893724d562b61be7"


def test_what_enters_the_hash():
    cell = child(dense_cell(3))
    assert cell.content() == {
        "schema": 1,
        "root_seed": 0,
        "settings": {},
        "seed": 3,
        "dataset": "mnist",
        "arch": "lenet",
        "method": "mp",
        "ratio": 10.0,
        "parent": cell.parent.key,
    }


def test_numbers_enter_by_value_and_keys_in_any_order():
    assert cell_hash({"a": 2, "b": [1, {"c": 0.5}]}) == cell_hash({"b": [1.0, {"c": 0.5}], "a": 2.0})
    assert cell_hash({"a": 2}) != cell_hash({"a": 2.5})
    assert cell_hash({"a": True}) != cell_hash({"a": 1})
    parent = dense_cell()
    assert child(parent, ratio=2).key == child(parent, ratio=2.0).key != child(parent, ratio=2.5).key


def test_defaults_are_left_out():
    written_out = TrainingSettings.model_validate(json.loads(json.dumps(TrainingSettings().model_dump())))
    assert dense_cell(settings=written_out).key == dense_cell(settings=TrainingSettings()).key

    class Later(TrainingSettings):
        label_smoothing: float = Field(0.0)

    assert dense_cell(settings=Later()).key == dense_cell(settings=TrainingSettings()).key
    assert dense_cell(settings=Later(label_smoothing=0.1)).key != dense_cell().key


def test_frozen_defaults():
    """Defaults are left out of the hash: a cell computed with another default would be mistaken for this one."""
    frozen = {
        "train": ((30, 0.01),), "finetune": ((15, 0.01),), "batch_size": 128, "momentum": 0.9, "nesterov": True,
        "weight_decay": 0.0, "ratio_accounting": "exact", "augment": "auto", "train_fraction": 1.0,
        "eval_batch_size": 500, "memory_format": "channels_last",
    }  # fmt: skip
    assert CELL_SCHEMA == 1  # changing a default raises it, and this table is written anew
    assert frozen.items() <= TrainingSettings().model_dump().items()  # new fields may be added


def test_the_dense_hash_ignores_what_only_pruning_uses():
    other = settings_for("lenet", {"lenet": {"finetune": [[3, 0.1]], "ratio_accounting": "shrinkbench"}})
    assert dense_cell(settings=other).key == dense_cell().key
    assert child(dense_cell(settings=other)).key != child(dense_cell()).key


@pytest.mark.parametrize(
    "field", [{"train": [3, 0.1]}, {"batch_size": 64}, {"momentum": 0.5}, {"nesterov": False}, {"weight_decay": 1e-4},
              {"augment": "none"}, {"train_fraction": 0.5}, {"eval_batch_size": 100}, {"memory_format": "contiguous"}]
)  # fmt: skip
def test_the_dense_hash_depends_on_the_rest_and_children_follow(field):
    other = dense_cell(settings=settings_for("lenet", {"lenet": field}))
    assert other.key != dense_cell().key
    assert child(other, settings=dense_cell().settings).key != child(dense_cell()).key


@pytest.mark.parametrize("field", ["seed", "dataset", "arch", "root_seed"])
def test_the_hash_depends_on_every_label(field):
    values = {"seed": 1, "dataset": "fashion-mnist", "arch": "resnet20", "root_seed": 9}
    assert dataclasses.replace(dense_cell(), **{field: values[field]}).key != dense_cell().key


def test_no_path_enters_the_hash():
    assert len({dense_cell(dataset=name).key for name in ("/data/mine.npz", "mine.npz", "mine")}) == 1


def test_parents_come_first_and_seeds_in_whole_blocks():
    plan = plan_of(
        seeds=[4, 1],
        ratio=[4, 2],
        experiments=[
            {"dataset": ["digits", "mnist"], "arch": "lenet", "method": ["sham", "mp"]},
            {"dataset": "mnist", "arch": "lenet", "method": "gp"},
        ],
    )
    titles = [cell.title for cell in plan.cells]
    digits, mnist = ("dense", "sham 1", "mp 4", "mp 2"), ("dense", "sham 1", "mp 4", "mp 2", "gp 4", "gp 2")
    names = [("digits lenet", what) for what in digits] + [("mnist lenet", what) for what in mnist]
    assert titles == [f"{name} seed {seed} {what}" for seed in (4, 1) for name, what in names]
    seen = set()
    for cell in plan.cells:
        assert cell.is_dense or cell.parent.key in seen
        seen.add(cell.key)
    assert len(seen) == len(plan.cells)
    assert plan.labels("seed") == [4, 1]
    assert plan.labels("ratio") == [1, 2, 4]
    assert plan.labels("method") == ["sham", "mp", "gp"]
    assert plan.labels("dataset") == ["digits", "mnist"]


def test_cells_of_one_network_share_their_dense_network():
    plan = plan_of(ratio=2, experiments=[{"dataset": "digits", "arch": "lenet", "method": [m]} for m in ("mp", "gp")])
    assert [cell.is_dense for cell in plan.cells] == [True, False, False]
    assert {cell.parent.key for cell in plan.cells[1:]} == {plan.cells[0].key}


def test_n_epochs_of_a_cell():
    plan = plan_of(experiments=[{"dataset": "digits", "arch": "resnet20", "method": "sham"}])
    assert [cell.n_epochs for cell in plan.cells] == [60, 25]


@pytest.mark.parametrize("accounting", ["exact", "shrinkbench"])
def test_an_impossible_ratio_is_refused_with_the_largest_possible(accounting):
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    largest = largest_ratio(counts, accounting)
    document = {
        "experiments": [{"dataset": "digits", "arch": "lenet", "method": ["sham", "mp"], "ratio": [2, 500]}],
        "training": {"lenet": {"ratio_accounting": accounting}},
    }
    refusal = rf"experiments\.0: lenet on digits: ratio 500.*largest possible ratio: {largest}"
    with pytest.raises(InputError, match=refusal):
        plan_of(**document)
    document["experiments"][0]["ratio"] = largest
    assert plan_of(**document)
    document["experiments"][0]["ratio"] = largest + 1
    with pytest.raises(InputError, match="leaves no weight"):
        plan_of(**document)


def test_the_two_accountings_have_different_limits():
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    assert largest_ratio(counts, "exact") < 60 < largest_ratio(counts, "shrinkbench")
    document = {"experiments": [{"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 60}]}
    assert plan_of(**document, training={"lenet": {"ratio_accounting": "shrinkbench"}})
    with pytest.raises(InputError, match="exact accounting"):
        plan_of(**document)


def test_a_network_that_does_not_fit_the_images_is_refused(tiny_npz):
    with pytest.raises(InputError, match="10x10 or larger"):
        plan_of(experiments=[{"dataset": tiny_npz("small", size=8), "arch": "lenet", "method": "sham"}])


def test_two_datasets_of_one_name_are_refused(tiny_npz):
    both = [tiny_npz("same"), tiny_npz("same")]
    with pytest.raises(InputError, match="would both be called 'same'"):
        plan_of(experiments=[{"dataset": both, "arch": "lenet", "method": "sham"}])


def test_a_dataset_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz"):
        plan_of(experiments=[{"dataset": str(tmp_path / "none.npz"), "arch": "lenet", "method": "sham"}])


@pytest.mark.parametrize("apart", [False, True])
def test_without_weight_decay_gp_and_up_are_one(apart):
    methods = [["gp"], ["up"]] if apart else [["gp", "up"]]
    experiments = [{"dataset": "digits", "arch": "lenet", "method": m, "ratio": 2} for m in methods]
    note = "lenet: weight decay is 0, so gp and up are one criterion"
    assert plan_of(experiments=experiments).notes == (note,)
    assert plan_of(experiments=experiments, training={"lenet": {"weight_decay": 1e-4}}).notes == ()
    assert plan_of(experiments=experiments[:1] if apart else [{**experiments[0], "method": "up"}]).notes == ()


def test_below_one_percent_kept_is_noted():
    experiment = {"dataset": "digits", "arch": "lenet", "method": ["sham", "mp"], "ratio": [10, 50]}
    counts = parameter_counts("lenet", 10, (1, 28, 28))
    kept = kept_count(counts, 50)
    assert kept < 590 < kept_count(counts, 10)
    assert plan_of(experiments=[experiment]).notes == (
        f"lenet on digits at ratio 50 keeps {kept} of 58998 prunable weights: networks may collapse",
    )
    assert plan_of(experiments=[{**experiment, "ratio": 10}]).notes == ()


def test_random_masks_that_empty_a_layer_are_noted():
    """54 of 58998 weights are the first layer's: it is empty in (1 - 1928/58998)^54 = 17% of masks, hardly in 1%."""
    experiment = {"dataset": "digits", "arch": "lenet", "ratio": [10, 20]}
    note = "lenet on digits at ratio 20: rp leaves a layer (conv1) with no weight in 17% of masks"
    assert plan_of(experiments=[{**experiment, "method": ["sham", "rp"]}]).notes == (note,)
    assert plan_of(experiments=[{**experiment, "method": ["sham", "mp"]}]).notes == ()
    both = plan_of(experiments=[{**experiment, "method": "rp", "ratio": 50}]).notes
    assert [note.partition("ratio 50")[2] for note in both] == [
        " keeps 125 of 58998 prunable weights: networks may collapse",
        ": rp leaves a layer (conv1, conv2) with no weight in 91% of masks",
    ]


def test_what_is_wrong_is_found_in_the_file(tmp_path, tiny_npz):
    path = tmp_path / "grid.yaml"
    own = "  - {dataset: digits, arch: lenet, method: [sham, mp], ratio: [2, 500]}\n"
    path.write_text(f"name: a\nseeds: 2\nexperiments:\n{own}")
    column = own.index("500") + 1
    for grid in (load_grid(str(path)), load_grid(str(path)).scaled({"seeds": 1, "epochs": 0.5})):
        with pytest.raises(InputError) as caught:
            make_plan(grid)
        assert str(caught.value).startswith(f"{path}:4:{column}: experiments.0: lenet on digits: ratio 500")
    without = own.replace(", ratio: [2, 500]", "")
    path.write_text(f"name: a\nseeds: 2\nratio:\n  - 2\n  - 500\nexperiments:\n{without}")
    with pytest.raises(InputError, match=r"grid\.yaml:5:5: experiments\.0: lenet on digits: ratio 500"):
        make_plan(load_grid(str(path)))
    small = tiny_npz("small", size=8)
    path.write_text(f"name: a\nseeds: 1\nexperiments:\n  - dataset: {small}\n    arch: lenet\n    method: sham\n")
    with pytest.raises(InputError, match=r"grid\.yaml:5:5: experiments\.0: lenet on .*10x10 or larger"):
        make_plan(load_grid(str(path)))


def test_where_a_grid_stood_is_no_part_of_it():
    grid = load_grid("smoke")
    assert grid.place("experiments", 0) == "smoke:7:5: "
    read = Grid.model_validate(grid.document())
    assert read.place("experiments", 0) == ""
    assert read == grid
    assert read.resolved() == grid.resolved()


def test_a_plan_in_words(make_grid):
    grid = make_grid(
        seeds=3,
        experiments=[{"dataset": "digits", "arch": "lenet", "method": ["sham", "mp"], "ratio": [2, 10]}],
        training={"lenet": {"train": [10, 0.1], "finetune": [4, 0.1]}},
    )
    kept = [kept_count(parameter_counts("lenet", 10, (1, 28, 28)), ratio) for ratio in (2, 10)]
    assert describe_plan(make_plan(grid.scaled({"seeds": 2, "epochs": 0.5}))) == [
        "grid test (scaled, seeds=2, epochs=0.5): 2 seeds, 8 cells (2 dense networks, 6 fine-tunings), 22 epochs",
        "digits lenet: 60074 parameters, 58998 prunable weights",
        "  sham: ratio 1",
        "  mp: ratio 2, 10",
        f"  kept weights at ratio 2: {kept[0]} ({kept[0] / 58998:.2%})",
        f"  kept weights at ratio 10: {kept[1]} ({kept[1] / 58998:.2%})",
    ]
    assert describe_plan(make_plan(grid))[0].startswith("grid test: 3 seeds, 12 cells")


def test_the_papers_counting_is_planned():
    lines = describe_plan(make_plan(load_grid("fashion")))
    assert "  kept weights at ratio 50: 351 (0.59%)" in lines
