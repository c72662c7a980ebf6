"""Grid files: what is accepted, and the one line that says what is not."""

import pytest

from rdcompute.criteria import is_control, method_names
from rdcompute.grid import parse_scale
from rdcompute.grid_file import find_grid, load_grid, shipped_grids
from rdcompute.plan import make_plan
from rdstats.errors import InputError

START = "name: a\nseeds: 2\nratio: [2, 4]\n"
LENET = "experiments:\n  - {dataset: digits, arch: lenet, method: [sham, mp]}\n"
WITH_SEEDS = "name: a\nratio: 2\n" + LENET


def experiment(text, more=""):
    return f"{START}experiments:\n  - {text}\n{more}"


def training(text):
    return f"{START}{LENET}training:\n  lenet: {text}\n"


@pytest.mark.parametrize(
    ("text", "place", "parts"),
    [
        # keys
        (START + "sead: 3\n" + LENET, "4:1: sead: ", ["unknown key 'sead'", "did you mean 'seeds'", "root_seed"]),
        (experiment("{dataset: digits, arch: lenet, methods: mp}"), "5:36: experiments.0.methods: ",
         ["did you mean 'method'", "known are dataset, arch, method, ratio"]),
        (START + LENET + "scale: {epochs: 0.1}\n", "6:1: scale: ", ["--scale"]),
        ("name: a\nname: b\n", "2:1: ", ["'name' is there twice"]),
        ("name: a\nratio: 2\n" + LENET, "1:1: seeds: ", ["is needed and not there"]),
        (experiment("{dataset: digits, method: mp}"), "5:5: experiments.0.arch: ", ["is needed"]),
        # names
        (experiment("{dataset: digit, arch: lenet, method: mp}"), "5:6: experiments.0.dataset.0: ",
         ["dataset 'digit'", "did you mean 'digits'", "cifar10", ".npz"]),
        (experiment("{dataset: digits, arch: resnet21, method: mp}"), "5:23: experiments.0.arch.0: ",
         ["unknown arch 'resnet21'", "did you mean 'resnet", "known are lenet"]),
        (experiment("{dataset: digits, arch: lenet, method: [mp, shame]}"), "5:49: experiments.0.method.1: ",
         ["unknown method 'shame'", "did you mean 'sham'", "gp"]),
        (experiment("{dataset: 5, arch: lenet, method: mp}"), "5:6: experiments.0.dataset.0: ", ["dataset '5'"]),
        (experiment("{dataset: digits, arch: [[lenet]], method: mp}"), "5:", ["experiments.0.arch.0", "['lenet']"]),
        (experiment("{dataset: digits, arch: lenet, method: no}"), "5:36: ", ["unknown method 'no'"]),
        # ratios
        (experiment("{dataset: digits, arch: lenet, method: mp, ratio: 0.5}"), "5:48: experiments.0.ratio.0: ",
         ["got 0.5", "greater than or equal to 1"]),
        ("name: a\nseeds: 1\nratio: [2, 0]\n" + LENET, "3:12: ratio.1: ", ["got 0", "greater than or equal to 1"]),
        ("name: a\nseeds: 1\nratio: [2, true]\n" + LENET, "3:12: ratio.1: ", ["got True", "number is accepted"]),
        ("name: a\nseeds: 1\nratio: [two]\n" + LENET, "3:9: ratio.0: ", ["got 'two'", "number is accepted"]),
        ("name: a\nseeds: 1\nratio: 1e400\n" + LENET, "3:1: ratio.0: ", ["finite"]),
        ("name: a\nseeds: 1\nratio: []\n" + LENET, "3:1: ratio: ", ["got []", "at least one"]),
        ("name: a\nseeds: 1\n" + LENET, "4:5: experiments.0: ", ["no ratio", "numbers >= 1"]),
        # seeds
        ("seeds: 0\n" + WITH_SEEDS, "1:1: seeds: ", ["got 0", "from 1 to"]),
        ("seeds: -3\n" + WITH_SEEDS, "1:1: seeds: ", ["got -3", "from 1 to"]),
        ("seeds: 20260101\n" + WITH_SEEDS, "1:1: seeds: ", ["got 20260101", "or a list of seeds"]),
        ("seeds: [3, -1]\n" + WITH_SEEDS, "1:12: seeds.1: ", ["got -1", "greater than or equal to 0"]),
        ("seeds: [3, 1.5]\n" + WITH_SEEDS, "1:12: seeds.1: ", ["got 1.5", "valid integer"]),
        ("seeds: true\n" + WITH_SEEDS, "1:1: seeds.0: ", ["got true"]),
        ("seeds: 1e3\n" + WITH_SEEDS, "1:1: seeds.0: ", ["got 1000.0"]),
        ("seeds: two\n" + WITH_SEEDS, "1:1: seeds.0: ", ["got 'two'"]),
        ("seeds: []\n" + WITH_SEEDS, "1:1: seeds: ", ["got []", "at least one"]),
        ("seeds: [5, 7, 5]\n" + WITH_SEEDS, "1:1: seeds: ", ["5 is there twice"]),
        ("seeds: 1\nroot_seed: -1\n" + WITH_SEEDS, "2:1: root_seed: ", ["got -1"]),
        # lists and blocks
        (START + "experiments: []\n", "4:1: experiments: ", ["got []", "at least one"]),
        (START + "experiments: {dataset: digits}\n", "4:1: experiments: ", ["a list is accepted"]),
        (START + "experiments: [mp]\n", "4:15: experiments.0: ", ["got 'mp'", "block of fields"]),
        (experiment("{dataset: digits, arch: lenet, method: []}"), "5:36: experiments.0.method: ", ["got []"]),
        (experiment("{dataset: [], arch: lenet, method: mp}"), "5:6: experiments.0.dataset: ", ["got []"]),
        ("name: 2024\nseeds: 1\nratio: 2\n" + LENET, "1:1: name: ", ["got 2024", "text is accepted"]),
        ("name: ''\nseeds: 1\nratio: 2\n" + LENET, "1:1: name: ", ["got ''", "text is accepted"]),
        # duplicate cells
        (experiment("{dataset: digits, arch: lenet, method: [mp, mp]}"), "5:5: experiments.0: ",
         ["duplicate cells: digits lenet mp at ratio 2 is there twice"]),
        (experiment("{dataset: digits, arch: lenet, method: mp, ratio: [4, 4.0]}"), "5:5: experiments.0: ",
         ["ratio 4 is there twice"]),
        (experiment("{dataset: digits, arch: lenet, method: mp}",
                    "  - {dataset: [mnist, digits], arch: lenet, method: mp}\n"),
         "6:5: experiments.1: ", ["digits lenet mp at ratio 2 is in experiments.0 too"]),
        (experiment("{dataset: digits, arch: lenet, method: sham, ratio: 2}",
                    "  - {dataset: digits, arch: lenet, method: sham, ratio: 4}\n"),
         "6:5: experiments.1: ", ["sham at ratio 1 is in experiments.0 too"]),
        # training
        (START + LENET + "training:\n  alexnet: {batch_size: 2}\n", "7:3: training.alexnet: ",
         ["unknown arch, family or method", "resnet, resnet110"]),
        (START + LENET + "training:\n  lennet: {batch_size: 2}\n", "7:3: training.lennet: ", ["did you mean 'lenet'"]),
        (START + LENET + "training:\n  lenet: 3\n", "7:3: training.lenet: ", ["got 3", "block of fields"]),
        (training("{batchsize: 3}"), "7:11: training.lenet.batchsize: ", ["unknown key", "did you mean 'batch_size'"]),
        (training("{batch_size: many}"), "7:11: training.lenet.batch_size: ", ["got 'many'", "number"]),
        (training("{batch_size: 2.5}"), "7:11: training.lenet.batch_size: ", ["got 2.5"]),
        (training("{batch_size: true}"), "7:11: training.lenet.batch_size: ", ["got True", "number"]),
        (training("{weight_decay: -1}"), "7:11: training.lenet.weight_decay: ", ["got -1"]),
        (training("{nesterov: 3}"), "7:11: training.lenet.nesterov: ", ["got 3"]),
        (training("{ratio_accounting: none}"), "7:11: training.lenet.ratio_accounting: ", ["'exact' or 'shrinkbench'"]),
        (training("{train: 30}"), "7:11: training.lenet.train: ", ["got 30", "list"]),
        (training("{train: []}"), "7:11: training.lenet.train: ", ["got []"]),
        (training("{train: [[10, 0.1], [5]]}"), "7:30: training.lenet.train.1.1: ", ["is needed"]),
        (training("{train: [[10, 0.1, 5]]}"), "7:19: training.lenet.train.0: ",
         ["got [10, 0.1, 5]", "[n_epochs, learning rate]"]),
        (training("{train: [[10, fast]]}"), "7:24: training.lenet.train.0.1: ", ["got 'fast'"]),
        (training("{train: [[0, 0.1]]}"), "7:20: training.lenet.train.0.0: ", ["got 0"]),
        (training("{finetune: [[5, -0.1]]}"), "7:26: training.lenet.finetune.0.1: ", ["got -0.1", "greater than 0"]),
        (training("{train: [[5, 0.1], 7]}"), "7:29: training.lenet.train.1: ", ["got 7", "list"]),
    ],
)  # fmt: skip
def test_every_wrong_grid_gets_one_line_with_its_place(refused, text, place, parts):
    message = refused(text)
    assert message.startswith(place), message
    for part in parts:
        assert part in message
    assert "more)" not in message or "methods" in text


@pytest.mark.parametrize(("text", "what"), [("", "empty grid"), ("# later\n", "empty grid"), ("- a\n", "not a grid")])
def test_a_document_that_is_no_mapping(tmp_path, text, what):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"wrong\.yaml: {what}; name, seeds and experiments are needed"):
        load_grid(str(path))


def test_several_errors_are_counted(refused):
    assert refused("name: 3\nseeds: x\nratio: 0\n" + LENET).endswith("(and 2 more)")


def test_a_long_value_is_shortened(refused):
    assert len(refused(training(f"{{train: {'x' * 4000}}}"))) < 300


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    nearest = r"demos\.yaml: no such file, .*did you mean 'demo\.yaml'\?.*shipped: .*demo\.yaml"
    with pytest.raises(InputError, match=nearest):
        load_grid("demos.yaml")
    with pytest.raises(InputError, match="is a folder, and no shipped grid"):
        load_grid(str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(InputError, match=r"latin\.yaml: not a text file in UTF-8"):
        load_grid(str(tmp_path / "latin.yaml"))


def test_a_shipped_grid_of_another_folder_is_not_meant(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_grid(str(tmp_path / "demo.yaml"))


def test_a_file_comes_before_a_shipped_grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_grid("smoke") == find_grid("smoke.yaml") == shipped_grids()["smoke.yaml"]
    (tmp_path / "smoke.yaml").write_text(START + LENET)
    assert load_grid("smoke.yaml").name == "a"
    assert load_grid("smoke").name == "smoke"


def test_a_scalar_stands_for_a_list_of_one():
    scalars = {"dataset": "digits", "arch": "lenet", "method": "mp", "ratio": 2}
    from rdcompute.grid import Grid

    one = Grid.model_validate({"name": "a", "seeds": 1, "experiments": [scalars]})
    many = Grid.model_validate({"name": "a", "seeds": [0], "experiments": [{k: [v] for k, v in scalars.items()}]})
    assert one == many
    assert one.experiments[0].ratio == (2.0,)


def test_seeds_are_a_number_or_a_list(make_grid):
    cell = [{"dataset": "digits", "arch": "lenet", "method": "sham"}]
    assert make_grid(seeds=3, experiments=cell).seeds == (0, 1, 2)
    assert make_grid(seeds=[7, 5], experiments=cell).seeds == (7, 5)


RELEASED = ("gp-released", "up-released", "up-released-abs", "rp-released")


def test_ratios_of_controls_experiments_and_grid(make_grid):
    grid = make_grid(
        seeds=1,
        ratio=[2, 4],
        experiments=[
            {"dataset": "digits", "arch": "lenet", "method": ["sham", "mp"]},
            {"dataset": "digits", "arch": "lenet", "method": "gp", "ratio": 10},
        ],
    )
    first, second = grid.experiments
    assert grid.ratios(first, "sham") == (1.0,)
    assert grid.ratios(first, "mp") == (2.0, 4.0)
    assert grid.ratios(second, "gp") == (10.0,)
    assert grid.resolved()["experiments"][0]["ratio"] == [2.0, 4.0]
    assert method_names() == ("sham", "sham-chip", "sham-lth", "mp", "gp", "up", "rp", *RELEASED, "chip", "lth")


def test_a_grid_of_controls_needs_no_ratio(make_grid):
    grid = make_grid(seeds=1, experiments=[{"dataset": "digits", "arch": "lenet", "method": "sham"}])
    assert [cell.ratio for cell in make_plan(grid).cells if not cell.is_dense] == [1.0]


def test_the_resolved_grid_leaves_nothing_to_defaults_and_names_no_path(make_grid, tiny_npz):
    path = tiny_npz("mine")
    grid = make_grid(
        seeds=2,
        experiments=[{"dataset": path, "arch": ["lenet", "resnet20"], "method": "sham"}],
        training={"lenet": {"momentum": 0.5}},
    )
    resolved = grid.resolved()
    assert resolved["experiments"] == [
        {"dataset": ["mine"], "arch": ["lenet", "resnet20"], "method": ["sham"], "ratio": [1.0]}
    ]
    assert resolved["training"]["lenet"]["momentum"] == 0.5
    assert resolved["training"]["lenet"]["train"] == [[30, 0.01]]
    assert resolved["training"]["resnet20"]["weight_decay"] == 5e-4
    assert resolved["seeds"] == [0, 1]


def test_scale_options_are_read():
    assert parse_scale(["seeds=2", "epochs=0.1"]) == {"seeds": 2, "epochs": 0.1}
    assert parse_scale([]) == {}
    for wrong in (["seed=2"], ["epochs"], ["epochs=fast"], ["=2"], ["seeds=1", "seeds=2"]):
        with pytest.raises(InputError, match="--scale"):
            parse_scale(wrong)


def test_scale_shortens_seeds_epochs_and_images(make_grid):
    grid = make_grid(
        seeds=[7, 5, 3],
        experiments=[{"dataset": "digits", "arch": "lenet", "method": "sham"}],
        training={"lenet": {"train": [[10, 0.1], [20, 0.01]], "finetune": [4, 0.1], "train_fraction": 0.5}},
    )
    short = grid.scaled({"seeds": 2, "epochs": 0.5, "train": 0.2})
    assert short.seeds == (7, 5)
    assert short.settings("lenet").train == ((5, 0.1), (10, 0.01))
    assert short.settings("lenet").finetune == ((2, 0.1),)
    assert short.settings("lenet").train_fraction == pytest.approx(0.1, rel=1e-15)
    assert short.resolved()["scale"] == {"seeds": 2, "epochs": 0.5, "train": 0.2}
    assert short.resolved()["training"]["lenet"]["train"] == [[5, 0.1], [10, 0.01]]
    assert grid.scaled({}) is grid
    assert grid.resolved()["scale"] == {}


@pytest.mark.parametrize(
    ("option", "accepted"),
    [
        ("seeds=0", "from 1 to 3"), ("seeds=4", "from 1 to 3"), ("seeds=1.5", "from 1 to 3"),
        ("seeds=-1", "from 1 to 3"), ("seeds=nan", "from 1 to 3"), ("seeds=inf", "from 1 to 3"),
        ("epochs=0", "at most 1"), ("epochs=1.5", "at most 1"), ("epochs=nan", "at most 1"),
        ("train=-1", "at most 1"), ("train=2", "at most 1"),
    ],
)  # fmt: skip
def test_wrong_scales_are_refused(make_grid, option, accepted):
    grid = make_grid(seeds=3, experiments=[{"dataset": "digits", "arch": "lenet", "method": "sham"}])
    with pytest.raises(InputError, match=rf"--scale {option.partition('=')[0]}=.*{accepted}"):
        grid.scaled(parse_scale([option]))


def test_an_unknown_scale_is_refused(make_grid):
    grid = make_grid(seeds=3, experiments=[{"dataset": "digits", "arch": "lenet", "method": "sham"}])
    with pytest.raises(InputError, match="--scale epoch: seeds=N"):
        grid.scaled({"epoch": 0.5})


@pytest.mark.parametrize("name", sorted(shipped_grids()))
def test_shipped_grids_load_and_plan(name):
    grid = load_grid(name)
    plan = make_plan(grid)
    assert grid.name == name.removesuffix(".yaml")
    assert grid.description
    assert any(is_control(cell.method) for cell in plan.cells)
    assert len({cell.key for cell in plan.cells}) == len(plan.cells)


def test_the_grids_have_the_papers_numbers_of_cells():
    """Dense networks and sham once a seed, five ratios a method; section 6.1, Table 10, appendix E."""
    small = 2 * (1 + 1 + 5)  # mp on MNIST and Fashion-MNIST
    sizes = 5 * (1 + 1 + 2 * 5)  # mp and up on five networks
    whole = 30 * (small + sizes + 2 * 5 + (1 + 1 + 2 * 5))  # gp and rp on ResNet-56; CIFAR-100
    expected = {
        "paper": whole,
        "released": whole,
        "tradeoff": 30 * 5 * (1 + 1 + 5),
        "matched": 30 * (1 + 1 + 3 * 5 + 2 * 5),
        "lth": 10 * (1 + 1 + 20),  # Tables 12 and 13, ten and fifteen runs
        "chip": 15 * (1 + 1 + 4),
    }
    assert {name: len(make_plan(load_grid(name)).cells) for name in expected} == expected


def test_the_paper_and_the_released_code_name_one_study():
    paper, released = (make_plan(load_grid(name)) for name in ("paper", "released"))
    names = {"up-released": "up", "gp-released": "gp", "rp-released": "rp"}
    wheres = [{**c.where, "method": names.get(c.method, c.method)} for c in released.cells]
    assert wheres == [{**c.where, "method": c.method} for c in paper.cells]
    assert {c.key for c in paper.cells}.isdisjoint(c.key for c in released.cells)
    for arch in ("lenet", "resnet110"):
        one, other = (plan.grid.settings(arch) for plan in (paper, released))
        assert (one.train, one.finetune, one.batch_size) == (other.train, other.finetune, other.batch_size)
        assert (other.weight_decay, other.validation, other.keep) == (0, "test", "released")
        assert (other.renew_optimizer, other.ratio_accounting) == (True, "shrinkbench")
    assert paper.grid.settings("resnet56").weight_decay == 5e-4
    assert paper.grid.settings("lenet").ratio_accounting == "shrinkbench"


def test_grids_share_their_cells_with_the_paper():
    paper = {cell.key for cell in make_plan(load_grid("paper")).cells}
    assert {cell.key for cell in make_plan(load_grid("fashion")).cells} < paper
    cells = make_plan(load_grid("tradeoff")).cells
    assert {cell.ratio for cell in cells if cell.key not in paper} == {6, 8}


def test_the_fashion_grid_is_the_papers():
    grid = load_grid("fashion")
    plan = make_plan(grid)
    assert len(plan.cells) == 30 * (1 + 1 + 5)
    assert plan.labels("ratio") == [1, 2, 4, 10, 20, 50]
    settings = grid.settings("lenet")
    assert (settings.train, settings.finetune) == (((30, 0.01),), ((15, 0.01),))
    assert (settings.batch_size, settings.weight_decay, settings.ratio_accounting) == (128, 0, "shrinkbench")
