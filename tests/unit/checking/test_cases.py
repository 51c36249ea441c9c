"""For every comparison a person is shown what its limit, its neighbours and its absence decide."""

from dataclasses import replace

import rules
from rules.checking import cases
from rules.knowledge import KnowledgeBase
from rules.model import Compare
from rules.protocol import Protocol
from tests.support.small import SMALL


def made(text=SMALL):
    protocol = rules.loads(text, "p.yaml")
    return cases.generate(protocol, KnowledgeBase(protocol.definition))


def told(text=SMALL):
    return [str(row) for row in made(text).rows]


def test_a_limit_is_tried_below_at_above_and_missing():
    assert (
        "I3 ecog in [0, 1, 2]: 0 -> met, 1 -> met, 2 -> met, 3 -> not met, missing -> indeterminate"
        in told()
    )
    assert (
        "I1 age_years <= 80: 79 -> met, 80 -> met, 81 -> not met, missing -> indeterminate"
        in told()
    )
    assert (
        "S-FEVER hottest >= 38: 37.9 -> silent, 38 -> fires, 38.1 -> fires, missing -> silent"
        in told()
    )


def test_the_other_facts_are_chosen_so_that_the_clause_alone_decides():
    assert (
        'E1 infarction: true -> met, false -> not met, missing -> indeterminate (with hiv "negative", sex "female", consent false)'
        in told()
    )


def test_a_criterion_that_asks_with_has_may_be_met_by_what_is_missing():
    text = SMALL.replace("when: ecog in [0, 1, 2]", 'when: "!has(facts.ecog) || ecog <= 2"')
    assert not made(text).complaints
    assert "I3 ecog <= 2: 1 -> met, 2 -> met, 3 -> not met, missing -> met" in told(text)


def test_facts_are_sought_under_which_what_is_missing_leaves_it_open():
    text = SMALL.replace(
        "when: ecog in [0, 1, 2]",
        """when: '(ecog <= 2 && (hiv == "negative" || infarction))
      || (!has(facts.ecog) && hiv == "negative")'""",
    )
    (row,) = [row for row in told(text) if row.startswith("I3 ecog <= 2")]
    assert "missing -> indeterminate" in row


def test_values_outside_of_what_a_code_can_be_are_not_tried():
    text = SMALL.replace("when: ecog in [0, 1, 2]", "when: ecog < 5")
    assert "I3 ecog < 5: 4 -> met, 5 -> not met, missing -> indeterminate" in told(text)


def test_limits_are_approached_by_the_last_place_that_was_written():
    text = SMALL.replace("{value: 38,", "{value: 38.25,")
    assert any("38.24 -> silent, 38.25 -> fires, 38.26 -> fires" in row for row in told(text))


def test_readers_that_part_are_a_complaint():
    protocol = rules.loads(SMALL, "p.yaml")
    definition = protocol.definition
    other = replace(definition.criteria[1], when=Compare("ecog", "<=", 1))
    bent = replace(definition, criteria=(definition.criteria[0], other, definition.criteria[2]))
    (complaint,) = cases.generate(Protocol(definition), KnowledgeBase(bent)).complaints
    assert complaint.message == "I3 with ecog 2: met, not_met and met at once"


def test_what_is_missing_and_decides_is_a_complaint():
    """As written it does not ask whether the datum is there; as it is judged, it does."""
    protocol = rules.loads(
        SMALL.replace("when: ecog in [0, 1, 2]", 'when: "!has(facts.ecog) || ecog <= 2"'), "p.yaml"
    )
    definition = protocol.definition
    one = replace(definition.criteria[1], stated=Compare("ecog", "<=", 2))
    bent = replace(definition, criteria=(definition.criteria[0], one, definition.criteria[2]))
    found = cases.generate(Protocol(bent), KnowledgeBase(bent)).complaints
    assert [complaint.message for complaint in found] == [
        "I3 with ecog missing: met, though nothing says so"
    ]


def test_a_clause_that_never_decides_alone_is_noted():
    text = SMALL.replace("when: ecog in [0, 1, 2]", "when: ecog <= 2 && ecog <= 4")
    notes = [note.message for note in made(text).notes]
    assert notes == [
        "the criterion `I3`, `when`: no case was found where `ecog <= 4` alone decides"
    ]
