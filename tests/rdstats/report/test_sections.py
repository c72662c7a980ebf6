"""What the sections say, against the numbers they rest on: classes, the sceptic's question, checks, method."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import rdstats
from rdstats.records import change_records, class_records, instrumented_records, retrain_records, slope_records
from rdstats.report.checks import checks, ratios_differ, skipped_families
from rdstats.report.citation import AUTHORS, TITLE, YEAR, bibtex
from rdstats.report.losers import changed_tables, class_changes, column_sentences, largest
from rdstats.report.method import method_paragraphs
from rdstats.report.sceptic import sceptic_sentences

ROOT = Path(__file__).parents[3]


def pattern(change, classes=6, seeds=6, images=400, rng=0):
    """Return a cube whose classes change their recall by `change`, one value a class, in every seed alike."""
    draw = np.random.default_rng(rng)
    recall = np.linspace(0.6, 0.8, classes)

    def matrix(rates):
        hits = draw.binomial(images, np.clip(rates, 0, 1))
        found = np.zeros((classes, classes))
        found[np.arange(classes), np.arange(classes)] = hits
        found[np.arange(classes), (np.arange(classes) + 1) % classes] = images - hits
        return found

    before = np.stack([matrix(recall) for _ in range(seeds)])
    after = np.stack([[matrix(recall), matrix(recall + np.array(change))] for _ in range(seeds)])
    names = ["ant", "bee", "cat", "dog", "emu", "fox"][:classes]
    return rdstats.build(before, after, dims=("seed", "ratio"), coords={"ratio": [2.0, 4.0]}, class_names=names)


@pytest.fixture(scope="module")
def changed():
    return rdstats.analyze(pattern([-0.3, 0, 0, 0, 0, 0.15]))


def test_losers_and_winners_are_those_whose_interval_excludes_zero(changed):
    records = [r for r in class_records(changed) if r["ratio"] == 4]
    beyond = {r["class_name"] for r in records if r["lower"] > 0 or r["upper"] < 0}
    losers, winners = largest([c for c in class_changes(changed) if c.record["ratio"] == 4])
    assert {c.record["class_name"] for c in (*losers, *winners)} == beyond == {"ant", "fox"}
    assert [c.record["class_name"] for c in losers] == ["ant"]


def test_sentence_names_them_with_their_numbers(changed):
    ((column, sentence),) = column_sentences(changed, class_changes(changed))
    ant = next(r for r in class_records(changed) if r["ratio"] == 4 and r["class_name"] == "ant")
    assert column == "All networks"
    ends = f"{100 * ant['lower']:+.1f} to {100 * ant['upper']:+.1f}"
    assert (
        f"1 of 6 classes loses: ant {100 * ant['change']:+.1f} points ({ends}); 1 of 6 classes wins: fox +" in sentence
    )
    assert sentence.startswith("At ratio 4 (accuracy ")
    assert sentence.endswith("At ratio 2: no class's change is beyond its interval.")
    (table,) = changed_tables(changed, class_changes(changed))
    assert [row[1] for row in table.rows] == ["ant", "fox"] or [row[0] for row in table.rows] == ["ant", "fox"]
    assert [row[-1] for row in table.rows] == ["loses", "wins"]


def test_nobody_is_named_where_nothing_happened():
    quiet = rdstats.analyze(pattern([0] * 6, rng=1))
    changes = class_changes(quiet)
    assert not any(change.sure for change in changes)
    assert [s for _, s in column_sentences(quiet, changes)] == [
        "At every ratio: no class's change is beyond its interval."
    ]
    assert changed_tables(quiet, changes) == []


def test_a_single_pair_uses_mcnemar(pair_of_models):
    changes = class_changes(pair_of_models)
    assert {c.record["class_name"] for c in changes if c.sure} == {
        r["class_name"] for r in change_records(pair_of_models) if r["p_corrected"] < 0.05
    }
    assert all(change.record["lower"] < change.value < change.record["upper"] for change in changes)


def test_collapsed_cells_are_passed_over(report):
    sentences = dict(column_sentences(report, class_changes(report)))
    assert sentences["mp"].endswith("At ratio 10: the networks collapsed.")
    assert "At ratio 4" in sentences["mp"]
    assert "sham (control)" in sentences


def test_the_sceptic_gets_this_cube_s_numbers(report):
    text = " ".join(sceptic_sentences(report))
    sham = next(r for r in slope_records(report) if r["method"] == "sham")
    z = next(r for r in instrumented_records(report) if r["method"] == "sham")
    (again,) = retrain_records(report)
    assert f"its mean slope is {sham['mean']:.3f} (95% interval {sham['lower']:.3f} to {sham['upper']:.3f})" in text
    assert f"a mean slope of {again['mean']:.3f} ({again['n']} pairs)" in text
    assert f"the control's slope is {z['estimate']:.3f} (95% interval {z['lower']:.3f} to {z['upper']:.3f})" in text
    assert "Regression to the mean" in text


def test_the_sceptic_s_words_follow_the_interval(report, monkeypatch):
    def answer(lower, upper):
        record = {"method": "sham", "estimate": (lower + upper) / 2, "lower": lower, "upper": upper, "n": 6}
        monkeypatch.setattr("rdstats.report.sceptic.instrumented_records", lambda _: [record])
        return sceptic_sentences(report)[3]

    assert "no sign that" in answer(0.8, 1.2)
    assert "shrank" in answer(0.7, 0.9)
    assert "grew" in answer(1.1, 1.3)


def test_the_sceptic_without_control_and_with_one_seed(sim, pair_of_models):
    alone = sceptic_sentences(rdstats.analyze(sim.simulate({"mp": sim.CONTROL})))
    assert "has no control" in alone[0]
    assert "nothing on this page rests on a slope" in alone[-1]
    assert any("With one training run" in text for text in sceptic_sentences(pair_of_models))


def test_many_columns_are_given_as_a_range(large):
    text = " ".join(sceptic_sentences(large))
    means = [r["mean"] for r in slope_records(large) if r["method"] == "sham"]
    assert f"in 5 columns its mean slope is {min(means):.3f} to {max(means):.3f}" in text


def found(analysis):
    return {check.subject: check for check in checks(analysis)}


def test_every_warning_comes_once_and_every_check_has_its_line(report, large, crumbling, pair_of_models):
    for analysis in (report, large, crumbling, pair_of_models):
        lines = checks(analysis)
        told = "; ".join(check.text for check in lines if not check.ok)
        for warning in analysis.warnings:
            assert told.count(warning) == 1 or " not run: " in warning
        assert [check.subject for check in lines][:12] == [
            "Missing cells", "Collapsed networks", "Undefined scores", "Pairing", "Control", "Class sizes",
            "Strength of the test set", "Achieved ratios", "Seeds", "Shortened run", "Selection", "Tests",
        ]  # fmt: skip


def test_checks_that_fail(report, make_study):
    assert "not finished: 6" in found(report)["Missing cells"].text
    assert not found(report)["Collapsed networks"].ok
    cube = make_study(
        {"sham": 1.0, "mp": 1.0}, seeds=3, images=[30, 60, 60, 60, 60], ids=False, achieved={"mp": 0.8},
        attrs={"scaled": '{"seeds": 3}', "selected": "method=sham,mp"},
    )  # fmt: skip
    analysis = rdstats.analyze(cube, family="ratio")
    bad = {subject for subject, check in found(analysis).items() if not check.ok}
    assert {"Pairing", "Class sizes", "Achieved ratios", "Seeds", "Shortened run", "Selection"} <= bad
    assert ratios_differ(analysis)
    assert not ratios_differ(report)


def test_checks_that_are_fine_have_their_number(usual):
    texts = {subject: check.text for subject, check in found(usual).items() if check.ok}
    assert texts["Missing cells"] == "all 30 planned networks are there"
    assert texts["Class sizes"].startswith("100 test images per class")
    assert texts["Seeds"] == "6 training runs of every network"
    assert texts["Control"] == "every method has its control (sham)"
    assert re.search(r"\d to \d|\d times its sampling error", texts["Strength of the test set"])
    assert texts["Tests"] == "all 2 declared tests have a result"


def test_families_that_cannot_be_tested_are_no_warning(report):
    assert any(text.startswith("arch: ") for text in skipped_families(report))
    assert not any("not run" in check.text for check in checks(report))


def test_method_names_the_recipe(make_study):
    settings = {
        "batch_size": 32, "train": [[20, 0.02], [10, 0.002]], "finetune": [[5, 0.05]], "momentum": 0.9,
        "nesterov": True, "weight_decay": 5e-4, "ratio_accounting": "exact", "train_fraction": 0.5,
    }  # fmt: skip
    attrs = {
        "grid": json.dumps({"training": {"lenet": settings, "big": settings}}), "source": "rdcompute",
        "versions": '{"torch": "2.9"}', "device": "cpu", "root_seed": 7, "git_commit": "abc",
    }  # fmt: skip
    analysis = rdstats.analyze(make_study({"sham": 1.0, "mp": 1.2}, attrs=attrs))
    text = " ".join(method_paragraphs(analysis))
    for words in (
        "lenet and big: stochastic gradient descent (Nesterov momentum 0.9, weight decay 0.0005, batches of 32 images)",
        "training for 20 epochs at learning rate 0.02 and 10 at 0.002, then, after pruning, fine-tuning for 5 epochs",
        "on a share of 0.5 of the training set", "lowest loss on a fixed, stratified hold-out",
        "mp (magnitude pruning)", "control: sham", "simultaneous at 95%", "paired by the content of the dense network",
        "ratio: paired t-test", "m = 1 declared", "torch 2.9 on cpu (commit abc)", "Root of all random numbers: 7",
        "6 networks with different seeds", "60 test images per class",
    ):  # fmt: skip
        assert words in text


@pytest.mark.parametrize("methods", [["sham-lth", "lth"], ["lth", "mp"]])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "every level removes 20% of the weights that are left and rewinds the others to the first ones."),
        ({"prune_head": False, "rewind_steps": 500},
         "that are left, none of the head, and rewinds the others to those after 500 steps."),
    ],
)  # fmt: skip
def test_method_names_the_recipe_of_lottery_tickets(make_study, methods, more, words):
    plain = {"train": [[2, 0.1]], "momentum": 0.5}
    ticket = {"train": [[30000, 0.1]], "unit": "steps", "validation": "none", "keep": "last", "prune_fraction": 0.2}
    grid = {
        "training": {"lenet": plain, "lth": ticket | {"prune_head": True, "rewind_steps": 0} | more},
        "experiments": [{"arch": ["lenet"], "method": methods}],
    }
    attrs = {"grid": json.dumps(grid), "source": "rdcompute"}
    text = " ".join(method_paragraphs(rdstats.analyze(make_study({"sham-lth": 1.0, "lth": 1.2}, attrs=attrs))))
    assert "training for 30,000 steps at learning rate 0.1, on all training images, the last weights kept; " in text
    assert words in text
    assert ("lenet: stochastic" in text) == ("mp" in methods)  # else nothing is trained by it
    assert ("Where nothing else is said, the weights of the epoch with the lowest loss" in text) == ("mp" in methods)
    assert "The test set was used once" in text


def test_method_says_what_the_test_set_chose(make_study):
    released = {"train": [[2, 0.1]], "validation": "test", "keep": "released", "renew_optimizer": True}
    chip = {"finetune": [[400, 0.01]], "schedule": "cosine", "warmup_epochs": 5, "validation": "test"}

    def text(**training):
        experiments = [{"arch": list(training), "method": ["mp"]}]
        attrs = {"grid": json.dumps({"training": training, "experiments": experiments}), "source": "rdcompute"}
        return " ".join(method_paragraphs(rdstats.analyze(make_study({"sham": 1.0, "mp": 1.2}, attrs=attrs))))

    one = text(lenet=released, chip=chip | {"keep": "accuracy"})
    assert ("2 epochs at learning rate 0.1, momentum forgotten at the beginning of each, on all training images, "
            "the weights of the lowest loss within the last phase on the test set kept.") in one  # fmt: skip
    assert ("400 epochs at learning rate 0.01, falling to 0 as half a cosine within each, after 5 epochs of linear "
            "warm-up, on all training images, the weights of the highest accuracy on the test set "
            "kept.") in one  # fmt: skip
    assert "The test set chose the weights that were kept (lenet and chip) and was used" in one
    assert "hold-out" not in one
    assert "used once" not in one
    two = text(lenet={"keep": "accuracy", "validation": "holdout"}, other={"keep": "best"})
    assert "the weights of the highest accuracy on the hold-out kept." in two
    assert "Where nothing else is said, the weights of the epoch with the lowest loss" in two
    assert "The test set was used once" in two
    assert "The weights of the epoch with the lowest loss" in text(lenet={"keep": "best", "validation": "holdout"})
    assert "The test set was used once" in text(lenet={"keep": "last", "validation": "test"})


def test_method_names_released_and_matched_criteria(make_study):
    methods = {"sham": 1.0, "gp-released": 1.1, "up-released": 1.2, "mp@up-released": 1.1, "mp-magnitude": 1.0}
    text = " ".join(method_paragraphs(rdstats.analyze(make_study(methods))))
    assert "gp-released (gradient pruning as released: weight times gradient of the loss of one batch, without" in text
    assert "up-released (undecayed pruning as released" in text
    assert "mp@up-released (magnitude pruning; with as many weights as up-released keeps)" in text
    assert "mp-magnitude (magnitude pruning, magnitude)" in text


@pytest.mark.parametrize(
    "training", [{"lenet": "fast"}, {"lenet": {"train": "long", "momentum": "x"}}, [], {"lenet": {}}]
)
def test_method_of_other_programs(sim, training):
    attrs = {"grid": json.dumps({"training": training})}
    assert method_paragraphs(rdstats.analyze(sim.simulate({"mp": sim.CONTROL}, seeds=5, attrs=attrs)))


def test_citation_agrees_with_the_repository():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    names = re.findall(r"family-names: (\w+), given-names: (\w+)", text.split("preferred-citation")[1])
    assert [f"{family}, {given}" for family, given in names] == list(AUTHORS)
    assert f'title: "{TITLE}"' in text
    assert f"year: {YEAR}" in text
    for _, entry in bibtex():
        assert entry.count("{") == entry.count("}")
    assert bibtex()[0][1].startswith("@inproceedings{good2022recall,")
