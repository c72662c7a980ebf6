"""Shared checks: what is refused, and that the message says what and where."""

import numpy as np
import pytest

from rdstats.array import check_same_support, class_counts, t_interval
from rdstats.array.validate import (
    as_counts,
    as_flags,
    as_float,
    as_share,
    check_choice,
    check_classes,
    check_family_size,
    check_level,
    check_positive,
)
from rdstats.errors import InputError


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32", "float64", "bool"])
def test_any_numeric_dtype_becomes_float64(dtype):
    assert as_float("x", np.ones((2, 2), dtype=dtype)).dtype == np.float64


def test_masked_entries_are_missing():
    result = as_float("x", np.ma.masked_equal(np.array([1, -1, 3]), -1))
    np.testing.assert_array_equal(result, [1, np.nan, 3])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (["a"], "expected numbers"),
        ([1 + 2j], "expected numbers"),
        ([None, 1.0], "expected numbers"),
        ([[1, 2], [3]], "rectangular"),
        ([1.0, np.inf], r"inf at index \(1,\)"),
    ],
)
def test_as_float_refuses(value, message):
    with pytest.raises(InputError, match=message):
        as_float("x", value)


def test_negative_count_is_named_with_its_index():
    matrices = np.ones((2, 3, 3))
    matrices[1, 0, 2] = -1
    with pytest.raises(InputError, match=r"confusion: received -1 at index \(1, 0, 2\)"):
        class_counts(matrices)


def test_nan_is_not_a_negative_count_or_a_wrong_share():
    assert np.isnan(as_counts("x", np.nan))
    assert np.isnan(as_share("x", np.nan))


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_as_share_refuses(value):
    with pytest.raises(InputError, match="between 0 and 1"):
        as_share("x", [0.5, value])


@pytest.mark.parametrize("value", [0.0, 1.0, [1, 0], np.nan])
def test_flags_are_booleans(value):
    with pytest.raises(InputError, match="booleans"):
        as_flags("x", value)


@pytest.mark.parametrize("level", [0, 1, -0.5, 2, np.nan])
def test_level_outside_the_unit_interval(level):
    with pytest.raises(InputError, match="between 0 and 1"):
        check_level(level)


def test_level_in_percent_gets_a_hint():
    with pytest.raises(InputError, match=r"did you mean 0\.95"):
        t_interval([1, 2, 3], level=95)


def test_choice_names_the_nearest():
    assert check_choice("method", "holm", ("holm", "bh")) == "holm"
    with pytest.raises(InputError, match=r"'hulm'.*accepted: holm, bh.*did you mean 'holm'"):
        check_choice("method", "hulm", ("holm", "bh"))


@pytest.mark.parametrize("value", [0, -1, np.nan, [2, 0.5]])
def test_family_size_below_one(value):
    with pytest.raises(InputError, match="at least 1"):
        check_family_size("k", value)


@pytest.mark.parametrize("value", [0, -1, np.inf, np.nan])
def test_positive(value):
    with pytest.raises(InputError, match="above 0"):
        check_positive("margin", value)


@pytest.mark.parametrize("shapes", [((3,), (4,)), ((3,), (1,)), ((), (3,)), ((0,), (0,))])
def test_class_axes_must_agree(shapes):
    with pytest.raises(InputError, match="number of classes"):
        check_classes(a=np.zeros(shapes[0]), b=np.zeros(shapes[1]))


def test_leading_axes_must_broadcast():
    with pytest.raises(InputError, match=r"a \(2, 3\), b \(4, 3\)"):
        check_classes(a=np.zeros((2, 3)), b=np.zeros((4, 3)))


def test_same_support_accepts_missing_runs_and_padding():
    before = [[10, 20, np.nan], [10, 20, np.nan]]
    after = [[10, 20, 0], [np.nan, np.nan, np.nan]]
    check_same_support(before, after)
    check_same_support(after, before)


def test_same_support_names_cell_and_class():
    before = np.full((2, 1, 3), 10)
    after = np.full((2, 4, 3), 10)
    after[1, 2, 0] = 9
    with pytest.raises(InputError, match=r"10 and 9 images of class 0 in cell \(1, 2\)"):
        check_same_support(before, after)
    with pytest.raises(InputError, match=r"10 and 0 images of class 1$"):
        check_same_support([10, 10], [10, np.nan])
