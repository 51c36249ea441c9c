"""The same event in several subjects: where each term stands, and what two persons accepted.

Who comes in: the trial's facts, and its holds. Who goes out: readings, and the numbers of subjects
with which the trial was resumed: only a term in more of them is reached anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules.assessment import names_in
from rules.facts.projections import Reading
from rules.language.vocabulary import stopping_fact
from rules.model import AlertRule, Repeat
from rules.plan import Plan
from rules.sums import TERM
from rules.trial.state import TrialState, place

_REACHED, _MOST, _TERMS = "reached", "most", "terms"


def readings(repeat: Repeat, state: TrialState) -> dict[str, Reading]:
    """In how many subjects each term was told, and which are enough, and more than accepted."""
    told = _subjects(repeat, state)
    terms = sorted(term for term in told if len(told[term]) >= _enough(repeat, state, term))
    since_us = [sorted(told[term].values())[_enough(repeat, state, term) - 1] for term in terms]
    found = {
        _REACHED: Reading(bool(terms), min(since_us, default=None)),
        _MOST: Reading(max(map(len, told.values()), default=0)),
        _TERMS: Reading(", ".join(terms) or None),
    }
    return {stopping_fact(repeat.id, what): reading for what, reading in found.items()}


def counted(plan: Plan, state: TrialState) -> dict[str, int]:
    """In how many subjects each term of each repeat stands, by the name it is accepted under."""
    return {
        _name(repeat, term): len(those)
        for repeat in plan.definition.repeats
        for term, those in _subjects(repeat, state).items()
    }


def accept(
    plan: Plan, state: TrialState, rule_id: str, known: Mapping[str, int] | None = None
) -> bool:
    """Two persons lifted the hold of a rule: what it was asked of is accepted as both knew it.

    `known`: as counted() was when the first of them wished it; None: as it is. Says whether a
    term is reached all the same: then the rule's hold is to begin again.
    """
    rule = plan.rules.get(rule_id)
    left = False
    for repeat in () if rule is None else _asked(plan, rule):
        for term, those in _subjects(repeat, state).items():
            name, number = _name(repeat, term), len(those)
            if number >= repeat.subjects:
                state.accepted[name] = number if known is None else min(number, known.get(name, 0))
                left = left or number > state.accepted[name]
    return left


def settle(plan: Plan, state: TrialState) -> None:
    """Whoever counts no more is not accepted any more either: the next one is more again."""
    for repeat in plan.definition.repeats:
        names = [name for name in state.accepted if name.startswith(_name(repeat, ""))]
        told = _subjects(repeat, state) if names else {}
        for name in names:
            standing = len(told.get(name.removeprefix(_name(repeat, "")), ()))
            state.accepted[name] = min(state.accepted[name], standing)


def _subjects(repeat: Repeat, state: TrialState) -> dict[str, dict[str, int]]:
    """By term, who has it and since when."""
    subjects: dict[str, dict[str, int]] = {}
    for name, counted in state.standing(repeat.id):
        subject, unit = place(name)
        subjects.setdefault(unit.removeprefix(TERM), {})[subject] = counted.since_us
    return subjects


def _enough(repeat: Repeat, state: TrialState, term: str) -> int:
    """In how many subjects a term must stand to be reached."""
    return max(repeat.subjects, state.accepted.get(_name(repeat, term), 0) + 1)


def _asked(plan: Plan, rule: AlertRule) -> Iterator[Repeat]:
    """The repeats that a rule's condition names."""
    names = names_in(rule.when)
    for repeat in plan.definition.repeats:
        facts = {stopping_fact(repeat.id, what) for what in (_REACHED, _MOST, _TERMS)}
        if not facts.isdisjoint(names):
            yield repeat


def _name(repeat: Repeat, term: str) -> str:
    """What a term's accepted number is kept under; no stopping rule bears a repeat's id."""
    return f"{repeat.id}|{TERM}{term}"
