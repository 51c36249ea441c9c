"""More is known, and nothing definite turns into its opposite; and who else reads the same so.

Monotone in information are criteria and rules without `has(facts.x)` over facts without
`applicable_if`: `has` asks about the knowing itself, and what was recorded of a datum that does not
apply wins over its not applying. A criterion's own `applicable_if` may, once it is known, turn met
or not met into not applicable; into one another it turns them never.
"""

from __future__ import annotations

import json
import random
from typing import Any

import celpy
import pytest
from celpy import celtypes
from celpy.evaluation import CELEvalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules import state as states
from tests.support.random_trials import compiled, trials
from tests.support.reference.logic import NOT_APPLICABLE, Logic
from tests.support.stories import Story, criterion, protocol, rule

FEW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
CHOICES = {
    "temp": (36.0, 38.0, 39.5),
    "hb": (7.0, 8.5, 12.0, 0.0),
    "colour": ("red", "green", "blue"),
    "ecog": (0, 2, 3),
    "unfit": (True, False),
    "infection": (True, False),
    "infarct": (True, False),
    "stent": (True, False),
    "steroid": (True, False),
    "age_years": (17, 18, 46, 80, 81),
    "sex": ("female", "male", "other"),
    "consent": (True, False),
}


def stages(rng: random.Random, names) -> list[dict]:
    """What is known of one subject, less first and more later."""
    whole = {name: rng.choice(CHOICES[name]) for name in names if name in CHOICES}
    order = rng.sample(sorted(whole), len(whole))
    return [{name: whole[name] for name in order[:count]} for count in range(len(order) + 1)]


def plain(trial) -> bool:
    """Without `has`, and without a fact that applies to some subjects only."""
    text = trial.text
    return "has(" not in text and '"applicable_if"' not in json.dumps(trial.raw["codes"])


@FEW
@given(st.data(), st.randoms(use_true_random=False))
def test_a_better_informed_verdict_is_never_the_opposite_of_a_definite_one(data, rng):
    trial = data.draw(trials().filter(plain))
    assess = trial.protocol.assess
    opposite = {("met", "not_met"), ("not_met", "met")}
    for _ in range(5):
        held: dict[str, str] = {}
        for facts in stages(rng, CHOICES):
            now = dict(assess(facts).verdict_codes)
            for name, verdict in now.items():
                assert (held.get(name), verdict) not in opposite, (facts, trial.raw["criteria"])
                if held.get(name) == "not_applicable":
                    assert verdict == "not_applicable"
            held = now


@FEW
@given(st.data(), st.randoms(use_true_random=False))
def test_without_applicable_if_a_better_informed_decision_never_turns(data, rng):
    trial = data.draw(trials().filter(lambda one: plain(one) and "applicable_if" not in one.text))
    for _ in range(5):
        held = rules.Decision.INDETERMINATE
        for facts in stages(rng, CHOICES):
            now = trial.protocol.assess(facts).decision
            assert held in {rules.Decision.INDETERMINATE, now}
            held = now


def test_has_alone_asks_about_the_knowing_itself():
    """What the promise excepts, so that nobody takes it for kept."""
    text = protocol(
        "codes:\n  - {code: unfit, type: assessment, label: Unfit, value: boolean}\ncriteria:\n"
        + criterion("I1", "!has(facts.unfit)")
    )
    assess = compiled(text).protocol.assess
    assert [assess(facts).verdicts["I1"] for facts in ({}, {"unfit": True})] == [True, False]


# --- cel-python, of the drawn protocols ----------------------------------------------------------
ENVIRONMENT = celpy.Environment()
TYPES = {
    "temp": celtypes.DoubleType,
    "hb": celtypes.DoubleType,
    "ecog": celtypes.IntType,
    "age_years": celtypes.IntType,
    "colour": celtypes.StringType,
    "sex": celtypes.StringType,
}


UNKNOWN = ("undeclared reference", "no matching overload")


def asked_of_cel(text: str, facts) -> bool | None:
    """Numbers are typed at load: a limit of a number is a double."""
    for name in ("temp", "hb"):
        for op in ("<=", ">=", "==", "!=", "<", ">"):
            for limit in (7, 12, 36, 38):
                text = text.replace(f"{name} {op} {limit})", f"{name} {op} {limit}.0)")
                text = text.replace(f"{name} {op} {limit} ", f"{name} {op} {limit}.0 ")
                if text.endswith(f"{name} {op} {limit}"):
                    text += ".0"
    typed = {n: TYPES.get(n, celtypes.BoolType)(value) for n, value in facts.items()}
    keyed = celtypes.MapType({celtypes.StringType(n): value for n, value in typed.items()})
    program = ENVIRONMENT.program(ENVIRONMENT.compile(text))
    try:
        return bool(program.evaluate({**typed, "facts": keyed}))
    except CELEvalError as error:
        if not any(words in str(error) for words in UNKNOWN):
            raise
        return None


def agree_with_cel(data, rng):
    trial = data.draw(trials())
    for item in trial.raw["criteria"]:
        text = item["when"]
        facts = rng.choice(stages(rng, CHOICES))
        known = set(facts) | {name for name in CHOICES if name in text}
        if not any(f"f{n}" in text for n in range(1, 5)) and known <= set(CHOICES):
            expected = Logic(facts.get).ask(text)
            assert expected is not NOT_APPLICABLE
            assert asked_of_cel(text, facts) is expected, (text, facts)


@settings(FEW, max_examples=25)
@given(st.data(), st.randoms(use_true_random=False))
def test_cel_python_reads_drawn_criteria_as_the_reference_does(data, rng):
    agree_with_cel(data, rng)


@pytest.mark.soak
@settings(FEW, max_examples=5000)
@given(st.data(), st.randoms(use_true_random=False))
def test_cel_python_reads_drawn_criteria_as_the_reference_does_for_long(data, rng):
    agree_with_cel(data, rng)


COMPUTED = """\
codes:
  - {code: temp, type: observation, label: T, value: number}
  - {code: hb, type: observation, label: H, value: number}
facts:
  f: {derive: "TEXT"}
criteria:
""" + criterion("I1", "f >= 0")
ARITHMETIC = ("hb * 2.0 + 1.0", "hb / temp - temp / 3.0", "(temp - 38.0) * (hb - 8.5)", "-hb + 9.5")


@pytest.mark.parametrize("text", ARITHMETIC)
def test_cel_python_computes_the_arithmetic_that_it_has_as_the_engine_does(text):
    """Only + - * /, and numbers as doubles: CEL has no pow, ln, min or max of its own."""
    assess = compiled(protocol(COMPUTED.replace("TEXT", text))).protocol.assess
    program = ENVIRONMENT.program(ENVIRONMENT.compile(text))
    rng = random.Random(text)
    for _ in range(200):
        facts = {name: rng.uniform(-50, 50) for name in ("temp", "hb")}
        typed = {name: celtypes.DoubleType(value) for name, value in facts.items()}
        computed: Any = program.evaluate(typed)
        value = float(f"{float(computed):.12g}")
        assert Logic(facts.get).number(text) == pytest.approx(value, rel=1e-11)
        assert assess(facts).verdicts["I1"] is (value >= 0)
    assert assess({}).verdicts["I1"] is None


# --- memory --------------------------------------------------------------------------------------
WINDOWED = protocol(
    """\
codes:
  - {code: temp, type: observation, label: T, value: number, unit: Cel}
  - {code: unfit, type: assessment, label: U, value: boolean}
  - {code: infection, type: condition, label: I}
facts:
  hottest: {from: observation, code: temp, take: max, window: {hours: 24}}
  coldest: {from: observation, code: temp, take: min, window: {days: 3}}
  mean: {from: observation, code: temp, take: mean, window: {hours: 24}}
  often: {from: observation, code: temp, take: count, window: {hours: 24}, where: value >= 38}
  in_a_row: {from: observation, code: temp, take: consecutive, where: value >= 38, window: {hours: 24}}
  ever_unfit: {from: assessment, code: unfit, take: any, window: {days: 3}}
  infected: {from: condition, code: infection, take: touches_span, window: {days: 3}}
  worst: {from: observation, code: temp, conflict: worst, worse: high, within: day, valid: {days: 2}}
criteria:
"""
    + criterion("I1", "hottest >= 38 || coldest < 36 || mean >= 37 || often >= 2 || in_a_row >= 3")
    + criterion("I2", "ever_unfit || infected || worst >= 38")
    + "rules:\n"
    + rule("TELL", "infusions < 1000", "{hottest} {coldest} {mean} {often} {in_a_row} {worst}")
)


def test_a_subjects_state_does_not_grow_with_its_history():
    story, rng = Story(WINDOWED), random.Random(4)
    for n in range(2000):
        hour = f"2026-{1 + n // 672:02}-{1 + n % 672 // 24:02}T{n % 24:02}:{rng.randrange(60):02}:00+09:00"
        told = rng.random()
        if told < 0.8:
            story.tell(
                "observation", hour, code="temp", value=rng.choice((36.5, 38.0, 35.5)), unit="Cel"
            )
        elif told < 0.9:
            story.tell("assessment", hour, code="unfit", value=rng.random() < 0.3)
        else:
            status = rng.choice(("active", "resolved"))
            story.tell("condition", hour, code="infection", status=status)
    story.log.sort(key=lambda one: one.received_us)
    log = [
        rules.Event(
            n,
            *[
                getattr(one, name)
                for name in (
                    "event",
                    "source",
                    "id",
                    "type",
                    "time_us",
                    "timeprecision",
                    "received_us",
                    "data",
                )
            ],
        )
        for n, one in enumerate(story.log, 1)
    ]
    state, sizes = None, []
    for start in range(0, 2000, 100):
        part = log[start : start + 100]
        outcome = story.engine.subject_steps("t", "S-1", state, part, lambda n: log[:n])
        state = outcome.state
        sizes.append(len(state))
    assert max(sizes[10:]) < 1.3 * max(sizes[:10]), sizes
    kept = sum(len(records) for records in states.loads(state or b"").records.values())
    assert kept < 200
