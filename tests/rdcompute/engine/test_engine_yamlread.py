"""The reader of YAML as people mean it."""

import math

import pytest

from rdcompute.yamlread import read_text, read_yaml
from rdstats.errors import InputError


def value(text):
    return read_yaml(f"x: {text}\n", "f")[0]["x"]


def message(text):
    with pytest.raises(InputError) as caught:
        read_yaml(text, "f.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-2", 0.01), ("5e-4", 0.0005), ("1E3", 1000.0), ("-1.5e+2", -150.0), (".5", 0.5), ("5.", 5.0),
        ("010", 10), ("0", 0), ("-7", -7), ("+7", 7), ("60_000", 60000), ("2.0", 2.0),
    ],
)  # fmt: skip
def test_numbers_are_what_people_mean(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no", "no"), ("off", "off"), ("yes", "yes"), ("y", "y"), ("'5'", "5"), ('"1e-2"', "1e-2"), ("1:30", "1:30"),
        ("2024-05-19", "2024-05-19"), ("1e-2x", "1e-2x"), ("0x10", "0x10"), ("''", ""), ("'true'", "true"),
    ],
)  # fmt: skip
def test_text_stays_text(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("False", False), ("null", None), ("~", None), ("", None)]
)
def test_only_true_false_and_null_are_words(text, expected):
    assert value(text) is expected


def test_a_number_too_long_for_an_integer_is_no_crash():
    assert value("9" * 5000) == math.inf


def test_positions_of_keys_and_items_count_from_one():
    text = "name: a\nexperiments:\n  - {dataset: digits, arch: lenet}\n  - dataset: mnist\n"
    document, positions = read_yaml(text, "f")
    assert document == {"name": "a", "experiments": [{"dataset": "digits", "arch": "lenet"}, {"dataset": "mnist"}]}
    assert positions[("name",)] == (1, 1)
    assert positions[("experiments",)] == (2, 1)
    assert positions[("experiments", 0)] == (3, 5)
    assert positions[("experiments", 0, "arch")] == (3, 23)
    assert positions[("experiments", 1, "dataset")] == (4, 5)


def test_empty_text_and_byte_order_mark():
    assert read_yaml("", "f")[0] is None
    assert read_yaml("# nothing\n", "f")[0] is None
    assert read_yaml("\ufeffname: a\n", "f")[0] == {"name": "a"}


def test_duplicate_keys_are_refused_where_the_second_stands():
    assert message("name: a\nseeds: 2\nname: b\n") == "f.yaml:3:1: key 'name' is there twice; keep one"
    assert message("training:\n  lenet: {momentum: 0.9, 'momentum': 0}\n").startswith("f.yaml:2:26: key 'momentum'")
    assert read_yaml("a: {x: 1}\nb: {x: 2}\n", "f")[0] == {"a": {"x": 1}, "b": {"x": 2}}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: [1, 2\nb: 3\n", "f.yaml:2:2: not YAML: "),
        ("a: 1\n b: 2\n", "f.yaml:2:3: not YAML: "),
        ("a: 'open\n", "f.yaml:2:1: not YAML: "),
        ("\ta: 1\n", "f.yaml:1:1: not YAML: "),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: not YAML: expected a single document"),
        ("a: *b\n", "f.yaml:1:4: not YAML: found undefined alias"),
        ("a: \x01\n", "f.yaml: not YAML: "),
        ("[a, b]: 1\n", "f.yaml:1:1: a list or mapping as a key; text is accepted"),
        ("a: &x [*x]\n", "f.yaml:1:4: more than 50 levels"),
        ("[" * 700, "f.yaml"),
    ],
)
def test_syntax_errors_are_one_line_with_their_place(text, where):
    assert message(text).startswith(where)


def test_anchors_are_read_where_they_are_used():
    assert read_yaml("a: &x {m: 1}\nb: *x\n", "f")[0] == {"a": {"m": 1}, "b": {"m": 1}}


def test_a_file_that_cannot_be_read_as_text(tmp_path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml: not a text file in UTF-8"):
        read_text(latin)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_text(tmp_path / "none.yaml")
