"""The flagship's criteria and alert rules against an independent reading, and two other engines.

20,000 random partial sets of facts: the compiled criteria, durable-rules and a reading in plain
Python (tests/support/flagship_reading.py) must say the same; 2,000 of them cel-python too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import celpy
import pytest
from celpy import celtypes
from celpy.evaluation import CELEvalError

import rules
from rules.knowledge import KnowledgeBase
from rules.terms import Scope
from tests.support import flagship_reading as reading

FLAGSHIP = Path(__file__).parents[2] / "rules" / "protocols" / "msc-cgvhd.yaml"
SETS = 20_000
CEL_SETS = 2_000
WORDS = {True: "met", False: "not_met", None: "indeterminate"}
UNKNOWN = "undeclared reference"

BOOLEANS = [
    "consent_subject",
    "assent_subject",
    "consent_guardian",
    "survival_over_3_months",
    "childbearing_potential",
    "contraception_adequate",
    "other_disease_excludes",
    "other_trial",
    "unfit",
    "other_serious_condition",
    "disorder_affects_study",
    "cgvhd",
    "acute_infection",
    "bacterial_infection",
    "fungal_infection",
    "unknown_active_infection",
    "associated_tumour",
    "breastfeeding",
    "uncontrolled_hypertension",
    "unstable_angina",
    "heart_failure",
    "severe_diabetes",
    "myocardial_infarction",
    "arrhythmia",
    "other_non_malignant_disease",
    "mental_disorder",
    "drug_addiction",
    "allogeneic_hsct",
    "coronary_angioplasty",
]
# What lets a subject in: drawn often, so that single criteria decide and eligible ones occur.
IN_FAVOUR: dict[str, Any] = {
    "consent_subject": True,
    "assent_subject": True,
    "consent_guardian": True,
    "survival_over_3_months": True,
    "contraception_adequate": True,
    "cgvhd": True,
    "allogeneic_hsct": True,
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "age_years": (0, 1, 2, 4, 5, 8, 12, 13, 18, 19, 45, 79, 80, 81, 95),
    "sex": ("female", "male", "other"),
    "body_temperature": (25, 36.8, 37, 37.9, 37.99999, 38, 38.0, 38.1, 41.5),
    "diastolic_bp": (60, 78.5, 114.9, 115, 115.0, 115.1, 116, 130.0),
    "pregnancy_test": ("negative", "negative", "positive"),
    "hiv_status": ("negative", "negative", "positive"),
    "ecog": (0, 1, 2, 3, 4, 5),
    "nyha_class": (1, 2, 3, 4),
    "cgvhd_course": (
        "no_improvement_4_weeks",
        "worsening_2_weeks",
        "worsening_on_taper",
        "responding",
    ),
    **dict.fromkeys(BOOLEANS, (True, False)),
}
FAVOURED: dict[str, tuple[Any, ...]] = {
    "age_years": (1, 4, 5, 12, 13, 45, 80),
    "body_temperature": (36.8, 37.9),
    "diastolic_bp": (78.5, 115),
    "pregnancy_test": ("negative",),
    "hiv_status": ("negative",),
    "ecog": (0, 1, 2),
    "cgvhd_course": ("no_improvement_4_weeks", "worsening_2_weeks", "worsening_on_taper"),
    **{
        name: (IN_FAVOUR.get(name, False),) for name in BOOLEANS if name != "childbearing_potential"
    },
}


def partial_sets(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Facts of one subject, from nearly all missing to complete, from hostile to all in favour."""
    draw = random.Random(seed)
    for _ in range(count):
        missing = draw.choice((0.0, 0.02, 0.1, 0.4, 0.8))
        against = draw.choice((0.02, 0.1, 0.5, 1.0))
        yield {
            name: draw.choice(values if draw.random() < against else FAVOURED.get(name, values))
            for name, values in CHOICES.items()
            if draw.random() >= missing
        }


# What the engine derives of an adverse event; how is read in tests/unit/clinical/test_adverse.py.
DERIVED = (
    *("is_serious", "is_fatal", "is_life_threatening"),
    *("seriousness_conflict", "is_susar", "expectedness_conflict", "submitted_before_aware"),
    *("ae_in_anaphylaxis", "ae_in_pulmonary_embolism", "ae_in_cytokine_release"),
    *("ae_in_thrombo_embolism", "ae_in_ectopic_tissue", "ae_in_relapse", "ae_in_infection"),
    *("ae_in_opportunistic_infection", "ae_in_graft_failure"),
)


def maybe(draw: random.Random, **choices: tuple[Any, ...]) -> dict[str, Any]:
    """Each name with one of its values, or absent once in five."""
    return {name: draw.choice(values) for name, values in choices.items() if draw.random() < 0.8}


def subject_facts(draw: random.Random, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of criteria with those that rules about the subject name besides."""
    yes_no = (True, False)
    enrolled = draw.random() < 0.6
    return facts | {
        "decision": reading.decision(facts),
        **{name: WORDS[verdict] for name, verdict in reading.verdicts(facts).items()},
        **dict.fromkeys(reading.not_applicable(facts), "not_applicable"),
        "screened": draw.random() < 0.9,
        "enrolled": enrolled,
        "on_study": (on_study := enrolled and draw.random() < 0.7),
        "followed": on_study or (enrolled and draw.random() < 0.5),
        "dead": draw.random() < 0.1,
        "infusions": draw.randrange(6),
        **maybe(
            draw,
            enrolment_status=("screened", "enrolled", "treatment_stopped", "withdrawn", "lost"),
            fever_after_infusion=(36.6, 37.9, 38.0, 39.2),
            infection_after_infusion=yes_no,
            hys_law=("none", "candidate", "cholestasis_unknown", "cholestatic", "limits_missing"),
            at_peak_xuln=(0.4, 2.9, 3, 8.5),
            product_sterility=("negative", "positive"),
            nih_progressed=yes_no,
            nih_response=("complete", "partial", "mixed", "stable", "not_evaluable"),
            **dict.fromkeys(reading.MARKERS, (-80, -50, -10, 0.5, 49.9, 50, 200)),
            age_years_at_enrolment=(3, 4, 5, 11, 12, 13, 40),
            max_temperature_24h=(36.6, 37.9, 38, 38.0, 39.2),
            acute_infection_24h=(*yes_no, False, False),
            bacterial_infection_24h=(*yes_no, False, False),
            fungal_infection_24h=(*yes_no, False, False),
            unknown_infection_24h=(*yes_no, False, False),
        ),
    }


def infusion_facts(draw: random.Random, facts: dict[str, Any]) -> dict[str, Any]:
    """A subject's facts as of an infusion, and the infusion's own."""
    return subject_facts(draw, facts) | maybe(
        draw,
        infusion_number=(1, 2, 3, 4, 5),
        infusion_repeated=(True, False, False),
        infusion_status=("completed", "interrupted", "not_done"),
        gate=("open", "closed", "unknown"),
        dose=(60, 150),
        dose_per_kg=(0.2, 0.99, 1, 1.5, 2, 2.01, 12),
    )


def visit_facts(draw: random.Random, _: dict[str, Any]) -> dict[str, Any]:
    """One visit of the schedule."""
    early_and_late = ("early", "late", "not_done", "interrupted")
    return {"visit_is_infusion": draw.random() < 0.5} | maybe(
        draw,
        visit_status=("not_due", "open", "overdue", "done", *early_and_late),
        visit_off_days=(-3, 0, 9),
    )


def adverse_event_facts(draw: random.Random, _: dict[str, Any]) -> dict[str, Any]:
    """One adverse event."""
    return maybe(
        draw,
        grade=(1, 2, 3, 4, 5),
        serious=(True, False),
        seriousness_criteria=(0, 1, 2),
        causality=("related", "probable", "possible", "unlikely", "unrelated"),
        expected=(True, False),
        outcome=("fatal", "resolved", "ongoing"),
        ae_status=("valid",),
        onset_after_infusion=(True, False),
        preceding_infusion_during=(True, False),
        preceding_infusion_hours_since=(0, 2, 24, 24.5, 300, 720, 721),
        preceding_infusion_hours_since_end=(0, 1, 24, 24.5, 299, 720, 721),
        is_suspected=(True, False),
        **dict.fromkeys(DERIVED, (True, False)),
    )


def death_facts(draw: random.Random, _: dict[str, Any]) -> dict[str, Any]:
    """One death."""
    return maybe(draw, causality=("related", "possible", "unlikely", "unrelated"))


def trial_facts(draw: random.Random, _: dict[str, Any]) -> dict[str, Any]:
    """The trial's counts."""
    counts = (0, 1, 5, 9, 10, 11, 12)
    return {"target": 10} | maybe(
        draw,
        enrolled_count=counts,
        infused_count=counts,
        st_tox_events=(0, 1, 2, 5),
        st_tox_evaluable=counts,
        st_tox_pending=(0, 2),
        st_tox_crossed=(True, False),
        rp_same_g3_reached=(True, False),
        st_tox_margin=(-2, -1, 0, 1),
        st_tox_events_to_stop=(1, 2, 3),
    )


SNAPSHOTS: dict[Scope, Callable[[random.Random, dict[str, Any]], dict[str, Any]]] = {
    Scope.SUBJECT: subject_facts,
    Scope.ENROLMENT: subject_facts,
    Scope.INFUSION: infusion_facts,
    Scope.ADVERSE_EVENT: adverse_event_facts,
    Scope.DEATH: death_facts,
    Scope.TRIAL: trial_facts,
    Scope.VISIT: visit_facts,
}


@pytest.fixture(scope="module")
def protocol() -> rules.Protocol:
    return rules.load(FLAGSHIP)


@pytest.fixture(scope="module")
def knowledge(protocol: rules.Protocol) -> KnowledgeBase:
    return KnowledgeBase(protocol.definition)


@pytest.mark.timeout(300)
def test_compiled_criteria_and_durable_rules_say_what_a_reader_says(
    protocol: rules.Protocol, knowledge: KnowledgeBase
) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for number, facts in enumerate(partial_sets(SETS, seed=20260302)):
        read = reading.verdicts(facts)
        spared = reading.not_applicable(facts)
        assessment = protocol.assess(facts)
        assert dict(assessment.verdicts) == read, (number, facts)
        assert set(assessment.not_applicable) == spared, (number, facts)
        assert assessment.decision == reading.decision(facts), (number, facts)
        words = {
            name: "not_applicable" if name in spared else WORDS[held] for name, held in read.items()
        }
        assert dict(knowledge.verdicts(facts)) == words, (number, facts)
        seen.update(words.items())
        seen["decision", str(assessment.decision)] += 1
    assert_nothing_was_left_out(seen)


def assert_nothing_was_left_out(seen: Counter[tuple[str, str]]) -> None:
    """A comparison proves nothing about a verdict that never came up."""
    for criterion in (*(f"I{n}" for n in range(1, 8)), *(f"E{n}" for n in range(1, 10))):
        for word in WORDS.values():
            assert seen[criterion, word] >= 100, (criterion, word)
    assert seen["E1", "not_applicable"] >= 100
    for decision in ("eligible", "ineligible", "indeterminate"):
        assert seen["decision", decision] >= 100, decision


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scope", list(SNAPSHOTS))
def test_alert_rules_fire_where_a_reader_says_they_must(
    knowledge: KnowledgeBase, scope: Scope
) -> None:
    draw = random.Random(scope.value)
    fired: Counter[str] = Counter()
    counts = {Scope.SUBJECT: SETS, Scope.INFUSION: SETS // 2, Scope.ADVERSE_EVENT: SETS // 2}
    sets = counts.get(scope, SETS // 10)
    for number, facts in enumerate(partial_sets(sets, seed=len(scope.value))):
        snapshot = SNAPSHOTS[scope](draw, facts)
        expected = reading.alerts(scope.value, snapshot)
        answer = knowledge.fire(scope, snapshot)
        assert not answer.disagreement, (number, snapshot)
        assert set(answer.rules) == expected, (number, snapshot)
        fired.update(expected)
    for rule in knowledge_rules(knowledge, scope):
        assert fired[rule] >= 20, rule
        assert rule == "S-DEATH" or fired[rule] < sets, rule


def knowledge_rules(knowledge: KnowledgeBase, scope: Scope) -> list[str]:
    """The flagship's alert rules of one scope."""
    return [rule.id for rule in rules.load(FLAGSHIP).definition.rules if rule.scope is scope]


# --- cel-python: the language's own engine -------------------------------------------------------
Program = Callable[[dict[str, Any]], bool | None]


def cel_programs(protocol: rules.Protocol) -> dict[str, Program]:
    """Each criterion's expression as cel-python runs it."""
    environment = celpy.Environment()
    numbers = {fact.name for fact in protocol.definition.facts.values() if fact.value == "number"}
    params = cel_params(protocol)

    def compiled(text: str) -> Program:
        program = environment.program(environment.compile(text))

        def run(facts: dict[str, Any]) -> bool | None:
            typed = {
                name: cel_value(value, number=name in numbers) for name, value in facts.items()
            }
            try:
                return bool(program.evaluate({"params": params, **typed}))
            except CELEvalError as error:
                if UNKNOWN not in str(error):
                    raise
                return None

        return run

    return {
        criterion.id: compiled(criterion.expression) for criterion in protocol.definition.criteria
    }


def cel_params(protocol: rules.Protocol) -> Any:
    """The parameters, typed as the facts that they are compared with: CEL mixes no number types."""
    doubles = {"fever_celsius", "diastolic_limit_mmhg"}
    return celtypes.MapType(
        {
            celtypes.StringType(name): cel_value(parameter.value, number=name in doubles)
            for name, parameter in protocol.definition.parameters.items()
        }
    )


def cel_value(value: Any, *, number: bool) -> Any:
    """A Python value as CEL's own."""
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, str):
        return celtypes.StringType(value)
    return celtypes.DoubleType(value) if number else celtypes.IntType(value)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("sets", "seed"), [(CEL_SETS, 52), pytest.param(SETS, 53, marks=pytest.mark.soak)]
)
def test_cel_python_says_the_same_of_every_criterion(
    protocol: rules.Protocol, sets: int, seed: int
) -> None:
    programs = cel_programs(protocol)
    for number, facts in enumerate(partial_sets(sets, seed=seed)):
        verdicts = protocol.assess(facts).verdicts
        spared = reading.not_applicable(facts)
        for criterion, program in programs.items():
            if criterion not in spared:
                assert program(facts) == verdicts[criterion], (number, criterion, facts)
