"""Gates: the bound that makes a failure certain, the value on request, and what cannot be judged."""

import pytest

import rdstats
from rdstats.comparison import Gate, Quantity
from rdstats.comparison.quantities import POSSIBLE
from rdstats.errors import InputError


def quantity(value, lower=None, upper=None, name="slope"):
    return Quantity(name, value, lower, upper, "over test images" if lower is not None else "no interval", "", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("slope > 1.2", ("slope", ">", 1.2)), ("churn>=5%", ("churn", ">=", 0.05)),
     (" cosine <= -.5 ", ("cosine", "<=", -0.5)), ("slope > 0.123456789", ("slope", ">", 0.123456789)),
     ("accuracy < 9e-1", ("accuracy", "<", 0.9))],
)  # fmt: skip
def test_parsed(text, expected):
    gate = Gate.parse(text)
    assert (gate.name, gate.sign, gate.limit) == expected
    assert Gate.parse(str(gate)) == gate


@pytest.mark.parametrize(
    ("text", "words"),
    [("slope", "name, one of"), ("slope == 1", "name, one of"), ("slope > x", "name, one of"), ("", "name, one of"),
     ("slop > 1", r"no quantity slop \(did you mean 'slope'\?\)"), ("slope > 1e999", "a finite number"),
     ("slope > 1 and churn > 2", "name, one of")],
)  # fmt: skip
def test_refused(text, words):
    with pytest.raises(InputError, match=words):
        Gate.parse(text)


@pytest.mark.parametrize(
    ("sign", "lower", "upper", "failed"),
    [(">", 1.3, 2, True), (">", 1.2, 2, False), (">=", 1.2, 2, True), (">", 1.0, 2, False), ("<", 0.5, 1.1, True),
     ("<", 0.5, 1.2, False), ("<=", 0.5, 1.2, True), ("<", 0.5, 1.3, False)],
)  # fmt: skip
def test_the_whole_interval_must_be_beyond(sign, lower, upper, failed):
    (found,) = Gate("slope", sign, 1.2).judge([quantity(1.25 if ">" in sign else 1.15, lower, upper)])
    assert found.failed == failed
    assert found.used == "bound"
    assert found.tested == (lower if ">" in sign else upper)
    assert found.warned == (not failed)


@pytest.mark.parametrize(
    ("sign", "lower", "upper", "failed"),
    [(">", 0.9, 1.19, False), (">", 0.9, 1.2, False), (">=", 0.9, 1.2, True), (">", 0.9, 1.3, True),
     (">", 1.3, 1.4, True), ("<", 1.3, 1.4, False), ("<", 1.1, 1.4, True), ("<=", 1.2, 1.4, True),
     ("<", 1.2, 1.4, False)],
)  # fmt: skip
def test_strict_passes_only_what_is_shown(sign, lower, upper, failed):
    (found,) = Gate("slope", sign, 1.2).judge([quantity((lower + upper) / 2, lower, upper)], strict=True)
    assert (found.failed, found.rule, found.used) == (failed, "strict", "bound")
    assert found.tested == (upper if ">" in sign else lower)
    assert ("shown to be within" in found.sentence()) == (not failed)


def test_the_sentences_of_strict():
    def told(one, limit=1.2, **options):
        return Gate("slope", ">", limit).judge([one], **options)[0].sentence()

    one = quantity(1.1, 1.0, 1.25)
    assert told(one, strict=True) == (
        "FAILED: slope > 1.2: upper bound 1.25 (over test images), beyond by 0.05; its value 1.1 is within, but not "
        "shown to be"
    )
    assert told(quantity(1.3, 1.25, 1.4), strict=True) == (
        "FAILED: slope > 1.2: upper bound 1.4 (over test images), beyond by 0.2"
    )
    assert told(one, 1.3, strict=True) == (
        "passed: slope > 1.3: upper bound 1.25 (over test images), within by 0.05: shown to be within"
    )
    assert told(quantity(1.4, 1.0, 1.25), 1.3, strict=True) == (
        "passed: slope > 1.3: upper bound 1.25 (over test images), within by 0.05: shown to be within; its value 1.4 "
        "is beyond, and outside the interval"
    )
    assert told(quantity(1.1, 1.25, 1.5)) == (
        "FAILED: slope > 1.2: lower bound 1.25 (over test images), beyond by 0.05; its value 1.1 is within, and "
        "outside the interval"
    )
    bare = Quantity("slope", 1.1, None, None, "no interval", "weak_denominator", {})
    assert told(bare, strict=True) == (
        "FAILED: slope > 1.2: not shown to be within: value 1.1 has no interval: weak denominator"
    )
    assert told(bare) == "passed: slope > 1.2: value 1.1 (it has no interval: weak denominator), within by 0.1"
    possible = Quantity("slope", None, 1.0, 1.1, POSSIBLE, "", {})
    assert told(possible, strict=True) == (
        "FAILED: slope > 1.2: not shown to be within: 1 to 1.1 is all that the two matrices allow, no interval of "
        "confidence"
    )
    assert not Gate("slope", ">", 1.2).judge([possible])[0].failed
    assert told(Quantity("slope", None, None, None, "no interval", "", {}), strict=True).endswith("(no value)")


def test_one_rule_at_a_time():
    with pytest.raises(InputError, match="strict and point: one of them is accepted"):
        Gate("slope", ">", 1).judge([quantity(1, 0, 2)], strict=True, point=True)
    found = rdstats.compare([[90, 10], [30, 70]], [[70, 30], [50, 50]])
    assert [found.gates(["accuracy_drop > 50%"], **rule)[0].record()["rule"]
            for rule in ({}, {"strict": True}, {"point": True})] == ["chance", "strict", "point"]  # fmt: skip


def test_the_value_decides_on_request_and_without_interval():
    one = quantity(1.25, 1.0, 1.5)
    assert not Gate.parse("slope > 1.2").judge([one])[0].failed
    by_value = Gate.parse("slope > 1.2").judge([one], point=True)[0]
    assert by_value.failed
    assert by_value.sentence() == "FAILED: slope > 1.2: value 1.25, beyond by 0.05"
    bare = Gate.parse("slope > 1.2").judge([quantity(1.25)])[0]
    assert bare.failed
    assert bare.sentence() == "FAILED: slope > 1.2: value 1.25 (it has no interval), beyond by 0.05"
    assert not Gate.parse("slope > 1.3").judge([quantity(1.25)])[0].failed


def test_what_is_not_known_fails():
    nothing = Quantity("slope", None, None, None, "no interval", "no_spread", {})
    (found,) = Gate.parse("slope > 1.2").judge([nothing])
    assert found.failed
    assert found.sentence() == "FAILED: slope > 1.2: cannot be judged (no spread)"
    only_bounds = quantity(None, 0.05, 0.2, "churn")
    assert Gate.parse("churn > 0.04").judge([only_bounds])[0].failed
    passed = Gate.parse("churn > 0.1").judge([only_bounds])[0]
    assert (passed.failed, passed.warned) == (False, False)
    assert Gate.parse("churn > 0.1").judge([only_bounds], point=True)[0].failed


def test_the_sentence_says_by_how_much_and_on_what_basis():
    failed, passed = (Gate.parse(f"slope > {limit}").judge([quantity(1.4, 1.3, 1.5)])[0] for limit in (1.2, 1.35))
    assert failed.sentence() == "FAILED: slope > 1.2: lower bound 1.3 (over test images), beyond by 0.1"
    assert passed.sentence() == (
        "passed: slope > 1.35: lower bound 1.3 (over test images), within by 0.05; its value 1.4 is beyond, but not "
        "beyond chance"
    )
    close = Gate.parse("slope > 1.2").judge([quantity(1.2000001)])[0]
    assert "value 1.2000001" in close.sentence()
    assert Gate.parse("slope < 2").judge([quantity(1.4, 1.3, 1.5)])[0].sentence().startswith("FAILED: slope < 2: upper")


def test_every_place_is_judged():
    matrices = [[90, 10], [30, 70]], [[70, 30], [50, 50]]
    found = rdstats.compare([matrices[0]] * 2, [matrices[0], matrices[1]], dims=("pair",))
    results = found.gates(["slope > 1.2", Gate("cosine", "<", 0.5)])
    assert [result.failed for result in results] == [False, True, False, False]
    assert "(pair 1)" in results[1].sentence()
    assert results[1].record() == {
        "pair": 1, "gate": "slope > 1.2", "quantity": "slope", "sign": ">", "limit": 1.2, "failed": True,
        "warned": False, "rule": "chance", "used": "value", "tested": results[1].quantity.value,
    }  # fmt: skip
    with pytest.raises(InputError, match="this comparison has no delta"):
        found.gates(["delta > 0"])
