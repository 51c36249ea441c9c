"""Derived facts: what they compute, what makes them unknown, and what the language refuses."""

import pytest

import rules
from rules import model
from rules.facts.derived import compile_derivation
from rules.language.dependencies import ordered
from rules.model import And, Arith, Compare, Derivation, Name, Scalar
from rules.terms import ValueType
from tests.unit.language.test_facts import complaints, with_facts


def derived(line, **given):
    """The value of the first fact of a line (or of the last of several) over given facts."""
    lines = line if isinstance(line, tuple) else (line,)
    facts = rules.loads(with_facts(*lines)).definition.facts
    name = lines[-1].split(":")[0]
    for one in ordered(facts):
        if facts[one].derived is not None and one not in given:
            given[one] = compile_derivation(facts[one])(given.get)
    return given[name]


BMI = 'bmi: {derive: "weight / pow(height, 2)", unit: kg/m2}'

# (the fact, what is given, what comes out)
VALUES = [
    (BMI, {"weight": 80.0, "height": 2.0}, 20.0),
    (BMI, {"weight": 70, "height": 1.75}, 22.8571428571),
    (BMI, {"weight": 80.0}, None),
    (BMI, {"weight": 80.0, "height": 0.0}, None),
    ('x: {derive: "ln(weight / params.oldest)"}', {"weight": 80.0}, 0.0),
    ('x: {derive: "ln(weight - params.oldest)"}', {"weight": 80.0}, None),
    ('x: {derive: "ln(weight - params.oldest)"}', {"weight": 79.0}, None),
    ('x: {derive: "pow(weight - 90, 0.5)"}', {"weight": 80.0}, None),
    ('x: {derive: "pow(weight, 400)"}', {"weight": 80.0}, None),
    ('x: {derive: "min(weight * weight * 1000000000000, weight)"}', {"weight": 1e300}, None),
    ('x: {derive: "min(weight, 3) + max(weight, 2, 100) - abs(-weight)"}', {"weight": 80.0}, 23.0),
    ('x: {derive: "round(weight, 1)"}', {"weight": 2.25}, 2.3),
    ('x: {derive: "round(-weight)"}', {"weight": 2.5}, -3.0),
    ('x: {derive: "weight * 3"}', {"weight": 0.1}, 0.3),
    ('x: {derive: "-(weight - 1) / 4"}', {"weight": 3}, -0.5),
    ("x: {derive: unfit || infarction}", {"unfit": True}, True),
    ("x: {derive: unfit || infarction}", {"unfit": False}, None),
    ("x: {derive: unfit || infarction}", {"unfit": False, "infarction": False}, False),
    ('x: {derive: "!unfit && has(facts.weight)"}', {"unfit": False}, False),
    ("x: {derive: creatinine > creatinine_urgent * 2}", {"creatinine": 3.0, "creatinine_urgent": 1.0}, True),
    ("x: {derive: creatinine > creatinine_urgent}", {"creatinine": 3.0}, None),
    ("x: {derive: creatinine * 3 == creatinine_urgent}", {"creatinine": 0.1, "creatinine_urgent": 0.3}, True),
    ("x: {derive: creatinine > creatinine_urgent * 2 && unfit}", {"unfit": False}, False),
    ("x: {derive: creatinine > creatinine_urgent * 2 || unfit}", {"creatinine": 3.0, "creatinine_urgent": 1.0}, True),
    ("x: {derive: creatinine > 2 * 3}", {"creatinine": 7.0}, True),
    ("x: {derive: weight, unit: g}", {"weight": 80.5}, 80500.0),
    ("x: {derive: weight, unit: kg}", {"weight": 80.5}, 80.5),
    (("g: {derive: weight, unit: g}", "x: {derive: g / 2, unit: g}"), {"weight": 80.5}, 40250.0),
    ((BMI, "x: {derive: bmi * 2 > bmi + 20}"), {"weight": 80.0, "height": 1.0}, True),
    ('x: {cases: [{when: sex == "female", value: 0.742}, {when: sex == "male", value: 1}], otherwise: 2}', {"sex": "other"}, 2.0),
    ('x: {cases: [{when: sex == "female", value: 0.742}, {when: sex == "male", value: 1}], otherwise: 2}', {}, None),
    ('x: {cases: [{when: sex == "female", value: 1}, {when: unfit, value: 1}], otherwise: 1}', {}, 1.0),
    ('x: {cases: [{when: sex == "female", value: 1}, {when: unfit, value: 1}]}', {}, None),
    ('x: {cases: [{when: sex == "female", value: 1}, {when: unfit, value: 2}]}', {"sex": "male", "unfit": False}, None),
    ('x: {cases: [{when: sex == "female", value: 1}, {when: unfit, value: 1}, {when: true, value: 2}]}', {"unfit": True}, 1.0),
    ("x: {cases: [{when: weight > 80, value: high}, {when: weight > 50, value: mid}], otherwise: low}", {"weight": 60}, "mid"),
    ("x: {cases: [{when: unfit, value: true}], otherwise: {derive: weight > 80}}", {"unfit": False, "weight": 90}, True),
    ("x: {cases: [{when: weight > 40 * 2, derive: weight / 2}], otherwise: params.oldest}", {"weight": 90}, 45.0),
]  # fmt: skip
OF_WOMEN = 'heavy: {from: observation, code: weight, applicable_if: sex != "male"}'
CASES = (
    OF_WOMEN,
    "x: {cases: [{when: heavy > 80, value: 1}, {when: unfit, value: 2}], otherwise: 3}",
)
VALUES += [
    (CASES, {"sex": "male", "unfit": False}, 3.0),
    (CASES, {"sex": "male", "unfit": True}, 2.0),
    (CASES, {"sex": "male", "heavy": 90.0}, 1.0),
    (CASES, {"sex": "female", "unfit": False}, None),
    (CASES, {"unfit": False}, None),
]


@pytest.mark.parametrize(("line", "given", "value"), VALUES, ids=[f"{v[0]} {v[1]}" for v in VALUES])
def test_a_derived_fact_is_what_follows_and_unknown_where_nothing_does(line, given, value):
    found = derived(line, **given)
    assert (found, type(found)) == (value, type(value))


def test_a_comparison_inside_a_condition_is_a_hidden_fact_with_its_own_text():
    line = "x: {derive: 'weight > height * 2 && (unfit || weight>height * 2) || bmi2 > 3'}"
    text = with_facts("bmi2: {derive: weight * 2, unit: kg}", line)
    with pytest.raises(rules.ProtocolError, match="in kg and in m"):
        rules.loads(text)
    line = (
        "x: {derive: creatinine > creatinine_urgent * 2 && (unfit || creatinine>creatinine_urgent)}"
    )
    facts = rules.loads(with_facts(line)).definition.facts
    assert [name for name in facts if name.startswith("x")] == ["x__1", "x__2", "x"]
    assert facts["x__1"].label == "creatinine > creatinine_urgent * 2"
    assert facts["x__2"].derived == Derivation(
        (),
        model.Test(Name("creatinine"), ">", Name("creatinine_urgent")),
        "creatinine>creatinine_urgent",
    )


def test_units_of_sums_are_kept_and_those_of_products_are_believed():
    facts = rules.loads(
        with_facts(
            "a: {derive: creatinine + creatinine_urgent}",
            'b: {derive: "(creatinine - creatinine_urgent) / creatinine"}',
            'c: {derive: "weight * height", unit: kg.m}',
            'd: {derive: "max(weight, 3) * 2"}',
            'e: {derive: "ln(creatinine) * 2 + ecog"}',
        )
    ).definition.facts
    units = {name: facts[name].unit for name in "abcde"}
    assert units == {"a": "umol/L", "b": None, "c": "kg.m", "d": "kg", "e": None}
    assert facts["a"].derived is not None
    assert facts["a"].derived.otherwise == Arith("+", Name("creatinine"), Name("creatinine_urgent"))


def test_a_code_of_cases_has_their_words_in_order():
    line = "x: {cases: [{when: weight > 80, value: high}], otherwise: low}"
    spec = rules.loads(with_facts(line)).definition.facts["x"]
    assert (spec.value, spec.values) == (ValueType.CODE, ("high", "low"))


# (the facts, part of the complaint, part of its hint)
FAULTS = [
    (['x: {derive: wieght / 2}'], "unknown fact `wieght`", "did you mean weight?"),
    (['x: {derive: y + 2}', 'yy: {derive: weight}'], "unknown fact `y`", ""),
    (['x: {derive: weight / pow(height, 2), unit: kg}'], "stuck", "quote what holds a comma"),
    (['x: {derive: sqrt(weight)}'], "unknown function sqrt()", "one of min, max"),
    (['x: {derive: "pow(weight)"}'], "pow() takes 2 numbers", ""),
    (['x: {derive: "round(weight, height)"}'], "number of decimals", "round(x, 1)"),
    (['x: {derive: weight % 2}'], "the remainder %", ""),
    (['x: {derive: weight + hiv}'], "`hiv` is a code, not a number", ""),
    (['x: {derive: hiv}'], "`hiv` is a code, not a number", ""),
    (['x: {derive: weight + height}'], "`+` of numbers in kg and in m", "one unit"),
    (['x: {derive: "min(weight, height)"}'], "min() of numbers in kg and in m", "one unit"),
    (['x: {derive: weight > height}'], "a comparison of numbers in kg and in m", "one unit"),
    (['x: {derive: weight + 1, unit: g}'], "the expression is in kg, not in g", "unit: kg"),
    (['x: {derive: weight, unit: m}'], "the expression is in kg, not in m", "unit: kg"),
    (['x: {derive: weight * height, unit: foo}'], "is no UCUM unit", ""),
    (['x: {derive: unfit, unit: kg}'], "only a number has a unit", ""),
    (['x: {derive: weight + params.eldest}'], "unknown parameter `eldest`", "did you mean oldest?"),
    (['x: {derive: "unfit ? 1 : 2"}'], "ternary", "cases"),
    (['x: {derive: "[1, 2]"}'], "", ""),
    (['x: {derive: weight > 3, cases: [{when: unfit, value: 1}]}'], "does not stand beside `derive`", ""),
    (['x: {cases: []}'], "`cases` is empty", ""),
    (['x: {cases: [{when: unfit, value: 1}, {when: consent, value: high}]}'], "several types", "of one type"),
    (['x: {cases: [{when: unfit, value: weight * 2}]}'], "must be a number, true, false or a word", "derive: weight * 2"),
    (['x: {cases: [{when: unfit, value: weight}]}'], "must be a number, true, false or a word", "derive: weight"),
    (['x: {cases: [{when: unfitt, value: 1}]}'], "unknown fact `unfitt`", "did you mean unfit?"),
    (['x: {cases: [{when: unfit, derive: weight}, {when: consent, derive: height}]}'], "cases of numbers in kg and in m", ""),
    (['a: {derive: a + 1}'], "the fact `a` needs itself", "from events"),
    (['a: {derive: b + 1}', 'b: {derive: c * 2}', 'c: {cases: [{when: a > 1, value: 2}]}'], "a -> b -> c -> a", "from events"),
    (['a: {derive: weight + 1, applicable_if: b > 1}', 'b: {derive: a * 2}'], "a -> b -> a", ""),
    (['a: {from: observation, code: weight, take: max, window: {days: 3, before: b}}', 'b: {from: observation, code: weight, take: min, window: {days: 3, after: a}}'], "a -> b -> a", ""),
    (['a: {from: observation, code: weight, take: change_from_baseline, baseline: b}', 'b: {from: observation, code: weight, applicable_if: a > 3}'], "a -> b -> a", ""),
    (['a: {from: observation, code: weight, applicable_if: a > 3}'], "the fact `a` needs itself", ""),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "message", "hint"), FAULTS, ids=[str(f[0]) for f in FAULTS])
def test_a_faulty_derivation_is_told_at_its_line_with_a_hint(lines, message, hint):
    found = complaints(*lines)
    near = [one for one in found if any(part in one[1] for part in message.split("|"))]
    assert near, found
    assert hint in near[0][2], found
    assert 0 <= near[0][0] < len(lines), found


def test_facts_that_lean_on_a_faulty_one_are_not_complained_of_too():
    found = complaints(
        "a: {derive: weigt + 1}", "b: {derive: a * 2}", "c: {derive: b > 1 || unfit}"
    )
    assert len(found) == 1
    assert len(complaints("a: {derive: b + 1}", "b: {derive: a}", "c: {derive: b > 1}")) == 1


def test_criteria_over_derived_facts_are_assessed_from_their_inputs():
    text = with_facts(BMI, "fit: {derive: bmi < 30 && !unfit}").replace(
        "when: ecog in [0, 1, 2]", "when: fit"
    )
    protocol = rules.loads(text)
    given = {"weight": 80.0, "height": 2.0, "unfit": False}
    assert protocol.assess(given).verdicts["I3"] is True
    assert protocol.assess({**given, "bmi": 31.0}).verdicts["I3"] is False
    assert protocol.assess({"unfit": True}).verdicts["I3"] is False
    open_still = protocol.assess({"weight": 80.0, "unfit": False})
    assert open_still.verdicts["I3"] is None
    assert open_still.criterion_missing["I3"] == ("height",)
    no_answer = protocol.assess({**given, "height": 0.0})
    assert no_answer.criterion_missing["I3"] == ("bmi",)


def test_a_derived_fact_that_does_not_apply_is_not_computed():
    line = 'x: {derive: weight * 2, applicable_if: sex == "female"}'
    assert derived(line, weight=80.0, sex="male") is None
    assert derived(line, weight=80.0) == 160.0
    assert derived(line, weight=80.0, sex="female") == 160.0


def test_a_condition_over_a_derived_fact_compares_it_in_its_unit():
    text = with_facts(BMI).replace("when: ecog in [0, 1, 2]", "when: bmi >= 18.5 && bmi < 30")
    (criterion,) = (c for c in rules.loads(text).definition.criteria if c.id == "I3")
    assert isinstance(criterion.when, And)
    assert criterion.when.parts[0] == Compare("bmi", ">=", 18.5)


# What a hostile hand could write: each is refused in its own words, at once.
HOSTILE = [
    (["x: {derive: " + " + ".join(["weight"] * 200) + "}"], "more than 60 steps"),
    (["x: {derive: '" + "(" * 150 + "weight" + ")" * 150 + "'}"], ""),
    (["x: {derive: '" + "-(" * 100 + "weight" + ")" * 100 + "'}"], "steps|nested deeper"),
    (["x: {derive: '" + "abs(" * 100 + "weight" + ")" * 100 + "'}"], "nested deeper"),
    (["x: {derive: '" + "!(" * 100 + "unfit" + ")" * 100 + "'}"], "nested deeper"),
    (["x: {derive: '" + "weight + " * 1000 + "weight'}"], "longer than 4000"),
    ([f"f{n}: {{derive: weight}}" for n in range(300)], "more than 200 facts"),
    ([f"f{n}: {{derive: f{n + 1} + 1}}" for n in range(150)] + ["f150: {derive: f0}"], "in a circle"),
    (
        ["f0: {from: observation, code: weight}"]
        + [
            f"f{n}: {{from: observation, code: weight, applicable_if: f{n - 1} > 1 && f{n - 1} < 9}}"
            for n in range(1, 40)
        ],
        "hangs on too much",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "message"), HOSTILE, ids=[str(h[0])[:40] for h in HOSTILE])
def test_what_is_too_deep_or_too_much_is_refused_without_a_traceback(lines, message):
    if not message:
        assert rules.loads(with_facts(*lines)).definition.facts["x"].unit == "kg"
        return
    found = [one[1] for one in complaints(*lines)]
    assert any(part in one for one in found for part in message.split("|")), found
    assert len(found) <= 3


def test_the_longest_chain_that_is_allowed_compiles():
    chain = [f"f{n}: {{derive: f{n - 1} + 1}}" for n in range(1, 100)]
    deep = "y: {derive: " + " * ".join(["weight"] * 60) + "}"
    protocol = rules.loads(with_facts("f0: {derive: weight}", *chain, deep))
    given: dict[str, Scalar | None] = {"weight": 1.0}
    for name in ordered(protocol.definition.facts):
        spec = protocol.definition.facts[name]
        if spec.derived is not None:
            given[name] = compile_derivation(spec)(given.get)
    assert (given["f99"], given["y"]) == (100.0, 1.0)


def test_a_parameter_in_another_unit_is_no_length_of_time_and_no_value_of_a_case():
    limit = "  weeks: {value: 2, unit: wk, source: record}\n"
    for line, message in (
        ("x: {from: observation, code: weight, take: max, window: {days: params.weeks}}", "`params.weeks` is in wk, not in d"),
        ("x: {cases: [{when: unfit, value: params.weeks}, {when: consent, derive: weight}]}", "cases of numbers in wk and in kg"),
    ):  # fmt: skip
        text = with_facts(line).replace("parameters:\n", "parameters:\n" + limit, 1)
        with pytest.raises(rules.ProtocolError, match=message):
            rules.loads(text)
    whole = "x: {from: observation, code: weight, take: max, window: {weeks: params.weeks}}"
    text = with_facts(whole).replace("parameters:\n", "parameters:\n" + limit, 1)
    window = rules.loads(text).definition.facts["x"].window
    assert window is not None
    assert window.low == -2


def test_what_may_lie_outside_of_its_window_is_not_for_criteria_by_way_of_another_fact():
    line = "hot: {derive: warmest > 38}"
    warmest = "warmest: {from: observation, code: temperature, take: max, window: {hours: 24}, date_only: counts}"
    text = with_facts(warmest, line).replace("when: ecog in [0, 1, 2]", "when: hot")
    with pytest.raises(rules.ProtocolError, match="uses `warmest`, which has `date_only: counts`"):
        rules.loads(text)
