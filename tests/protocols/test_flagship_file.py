"""The flagship's file against its sources: the registry record, the vocabulary, the stopping table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy.stats import beta

import rules
from rules.model import StoppingRule
from rules.terms import EventType

ROOT = Path(__file__).resolve().parents[2]
FLAGSHIP = ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"
RECORD = ROOT.parent / "shared" / "registry-record.txt"

VOCABULARY = {
    EventType.OBSERVATION: "body_temperature diastolic_bp pregnancy_test hiv_status",
    EventType.ASSESSMENT: "ecog nyha_class cgvhd_course survival_over_3_months childbearing_potential "
    "contraception_adequate other_disease_excludes other_trial unfit other_serious_condition "
    "disorder_affects_study",
    EventType.CONDITION: "cgvhd acute_infection bacterial_infection fungal_infection "
    "unknown_active_infection associated_tumour breastfeeding uncontrolled_hypertension unstable_angina "
    "heart_failure severe_diabetes myocardial_infarction arrhythmia other_non_malignant_disease "
    "mental_disorder drug_addiction",
    EventType.PROCEDURE: "allogeneic_hsct coronary_angioplasty",
}
DERIVED = "age_years sex consent_subject assent_subject consent_guardian"


@pytest.fixture(scope="module")
def protocol() -> rules.Protocol:
    return rules.load(FLAGSHIP)


def statements(record: str) -> list[str]:
    """The record's numbered criteria in order, each with the lines that belong to it."""
    body = record.split("- 10\n", 1)[1].split("Study & Design", 1)[0]
    return [part.strip() for part in re.split(r"^\d\) ", body, flags=re.MULTILINE) if part.strip()]


@pytest.mark.skipif(not RECORD.is_file(), reason="the registry record is not beside this checkout")
def test_the_criteria_are_the_records_word_for_word(protocol: rules.Protocol) -> None:
    criteria = protocol.definition.criteria
    assert [criterion.text for criterion in criteria] == statements(
        RECORD.read_text(encoding="utf-8")
    )


def test_there_are_seven_inclusion_and_nine_exclusion_criteria(protocol: rules.Protocol) -> None:
    ids = [criterion.id for criterion in protocol.definition.criteria]
    assert ids == [*(f"I{n}" for n in range(1, 8)), *(f"E{n}" for n in range(1, 10))]
    for criterion in protocol.definition.criteria:
        assert criterion.kind.value == ("inclusion" if criterion.id[0] == "I" else "exclusion")


def test_the_fixed_vocabulary_is_declared_and_every_code_has_its_fact(
    protocol: rules.Protocol,
) -> None:
    definition = protocol.definition
    for kind, words in VOCABULARY.items():
        for code in words.split():
            assert (kind, code) in definition.codes, code
            assert code in definition.facts, code
    assert set(DERIVED.split()) <= set(definition.facts)


def test_only_participation_in_another_trial_can_be_waived(protocol: rules.Protocol) -> None:
    assert [item.id for item in protocol.definition.criteria if item.waivable] == ["E7"]


def test_what_the_record_does_not_say_gives_its_reason(protocol: rules.Protocol) -> None:
    parameters = protocol.definition.parameters
    outside = {name for name, item in parameters.items() if item.source == "not in the record"}
    assert {
        "guardian_consent_besides_minors",
        "infusion_interval_days",
        "toxicity_window_days",
    } <= outside
    assert all(parameters[name].reason for name in outside)
    days = parameters["infusion_interval_days"].value, parameters["toxicity_follow_up_days"].value
    assert parameters["toxicity_window_days"].value == 3 * int(days[0]) + int(days[1])


# --- the stopping table is what its source says it is ---------------------------------------------
def stops_at(evaluable: int) -> int | None:
    """Fewest events at which P(p > 0.20) exceeds 0.95 a posteriori, prior Beta(0.4, 1.6)."""
    for events in range(evaluable + 1):
        if beta.sf(0.20, 0.4 + events, 1.6 + evaluable - events) > 0.95:
            return events
    return None


def chance_of_stopping(rule: StoppingRule, rate: float) -> float:
    """Exact, over ten subjects one after the other."""
    table, alive, stopped = dict(rule.table), {0: 1.0}, 0.0
    for evaluable in range(1, 11):
        after: dict[int, float] = {}
        for events, chance in alive.items():
            after[events] = after.get(events, 0.0) + chance * (1 - rate)
            after[events + 1] = after.get(events + 1, 0.0) + chance * rate
        limit = table.get(evaluable, evaluable + 1)
        stopped += sum(chance for events, chance in after.items() if events >= limit)
        alive = {events: chance for events, chance in after.items() if events < limit}
    return stopped


def test_the_stopping_table_is_the_posterior_rule_that_its_source_names(
    protocol: rules.Protocol,
) -> None:
    (rule,) = protocol.definition.stopping
    derived = [(evaluable, stops_at(evaluable)) for evaluable in range(1, 11)]
    assert list(rule.table) == [row for row in derived if row[1] is not None]


def test_the_stopping_tables_chances_are_those_that_its_source_states(
    protocol: rules.Protocol,
) -> None:
    (rule,) = protocol.definition.stopping
    stated = re.findall(r"(\d+) % (0\.\d+)", rule.source.quote)
    assert [rate for rate, _ in stated] == ["10", "20", "30", "40", "50"]
    for rate, chance in stated:
        assert chance_of_stopping(rule, int(rate) / 100) == pytest.approx(float(chance), abs=0.0005)


def test_the_stopping_rule_is_stated_by_its_method_and_makes_the_table_that_was_agreed(
    protocol: rules.Protocol,
) -> None:
    (rule,) = protocol.definition.stopping
    assert (rule.method, rule.design.p0, rule.design.prior, rule.design.threshold) == (
        "bayes_threshold",
        0.2,
        (0.4, 1.6),
        0.95,
    )
    agreed = [(2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 4), (8, 4), (9, 5), (10, 5)]
    assert list(rule.table) == agreed


def test_reaching_it_and_every_immediate_pause_holds_the_whole_trial(
    protocol: rules.Protocol,
) -> None:
    (rule,) = protocol.definition.stopping
    assert rule.crossing is not None
    assert (rule.crossing.hold, rule.crossing.safety_board) == ("trial", True)
    pauses = {one.id: one for one in protocol.definition.rules if one.hold == "trial"}
    assert pauses.keys() == {
        *("PAUSE-DEATH", "PAUSE-RELATED-G4", "PAUSE-TERM", "PAUSE-SAME-G3", "P-STERILITY"),
    }
    assert {one.source.confidence for one in pauses.values()} == {"to be confirmed"}


# --- scenarios ------------------------------------------------------------------------------------
def test_every_rule_is_shown_firing_silent_and_with_a_datum_missing(
    protocol: rules.Protocol,
) -> None:
    shown = rules.check(protocol).shown
    assert {one.rule for one in shown} == {rule.id for rule in protocol.definition.rules}
    assert {one.rule: one.never for one in shown if one.never} == {}
