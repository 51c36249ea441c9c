"""Groups of adverse events and the reference safety information, as a file states them."""

import rules
from rules.show import as_json
from tests.support.small import SMALL

SECTIONS = """\
event_groups:
  clots:
    label: Clots
    terms: [Pulmonary  Embolism, Thrombosis]
    codings: [{system: "https://www.meddra.org", code: "10037377"}]
    source: {document: record}
reference_safety:
  - {terms: [PYREXIA], groups: [clots], max_grade: 2, from: "2026-01-01", source: {document: record}}
"""


def made(sections=SECTIONS):
    return rules.loads(SMALL.replace("rules:\n", sections + "rules:\n", 1), "p.yaml")


def test_terms_are_kept_folded_and_groups_are_listed_by_their_terms():
    reference = made().definition.reference
    (group,) = reference.groups
    assert group.terms == {"pulmonary embolism", "thrombosis"}
    assert group.codings == {"https://www.meddra.org|10037377"}
    (listed,) = reference.listed
    assert listed.terms == {"pyrexia", "pulmonary embolism", "thrombosis"}
    assert (listed.max_grade, listed.fatal, listed.since) == (2, False, "2026-01-01")


def test_an_empty_list_is_not_the_same_as_none():
    assert made("reference_safety: []\n").definition.reference.listed == ()
    assert rules.loads(SMALL, "p.yaml").definition.reference.listed is None


def test_a_reader_is_shown_groups_and_what_is_expected():
    text = rules.show(made(), "text")
    assert "Reference safety information" in text
    assert "pyrexia" in text
    shown = as_json(made())
    assert shown["event_groups"][0]["terms"] == ["pulmonary embolism", "thrombosis"]
    assert shown["reference_safety"][0]["max_grade"] == 2
    assert as_json(rules.loads(SMALL, "p.yaml"))["reference_safety"] is None


def test_a_version_that_expects_more_differs_and_touches_safety():
    new = made(SECTIONS.replace("max_grade: 2", "max_grade: 3"))
    (change,) = rules.diff(made(), new)["changes"]
    assert change["touches"] == ["safety"]
    (key,) = change["keys"]
    assert key["key"] == "reference_safety"
    assert "up to grade 2" in key["from"][0]
    assert "up to grade 3" in key["to"][0]


def test_a_fact_over_adverse_events_may_ask_for_a_group():
    text = SMALL.replace("rules:\n", SECTIONS + "rules:\n", 1)
    fact = "  clotted: {from: adverse_event, take: any, where: ae_in_clots && is_suspected}\n"
    text = text.replace("facts:\n", "facts:\n" + fact, 1)
    assert "clotted" in rules.loads(text, "p.yaml").definition.facts
