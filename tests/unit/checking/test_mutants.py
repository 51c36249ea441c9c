"""A slip that no scenario notices is told; what is noticed really turns a scenario red."""

from dataclasses import replace
from pathlib import Path

import rules
from rules.checking.mutants import changes
from rules.checking.scenarios import check_scenarios
from rules.language.places import bounds
from rules.language.vocabulary import declared, scopes_of
from rules.language.written import written
from rules.protocol import Protocol
from rules.terms import Scope
from tests.support.small import SMALL
from tests.unit.checking.test_coverage import SECOND

PILOT = Path(__file__).parents[3] / "rules" / "protocols" / "examples" / "cdisc-pilot.yaml"


def survivors(text):
    return told_of(rules.loads(text, "p.yaml"))


def told_of(protocol):
    found = rules.check(protocol, mutate=True).survivors
    assert found is not None
    return {(one.what, one.clause, one.instead) for one in found}


def test_slips_are_looked_for_only_when_asked():
    assert rules.check(rules.loads(SMALL)).survivors is None


def test_a_limit_that_no_scenario_comes_near_may_be_moved_unnoticed():
    found = survivors(SMALL + SECOND)
    rule = "the rule `S-FEVER`, `when`"
    assert (rule, "hottest >= 38", "hottest >= 38.1") in found
    assert (rule, "hottest >= 38", "hottest < 38") not in found
    at_the_limit = survivors(SMALL + SECOND.replace("value: 39", "value: 38"))
    assert (rule, "hottest >= 38", "hottest >= 38.1") not in at_the_limit
    assert (rule, "hottest >= 38", "hottest > 38") not in at_the_limit


def test_what_says_the_same_of_everybody_is_no_slip():
    text = SMALL.replace("when: ecog in [0, 1, 2]", "when: ecog >= 0 && ecog <= 2")
    found = {(clause, instead) for what, clause, instead in survivors(text) if "`I3`" in what}
    assert ("ecog <= 2", "ecog < 2") in found
    assert ("ecog >= 0", "ecog > 0") in found
    assert ("ecog >= 0", "ecog >= -1") not in found
    assert ("ecog >= 0", "(left out)") not in found


def test_survivors_are_those_whose_protocol_stays_green():
    """Each slip is made in the pilot's protocol, and all its scenarios are run again."""
    protocol = rules.load(PILOT)
    definition = protocol.definition
    told = told_of(protocol)
    limits = bounds(definition, asked=False)
    by_scope = scopes_of(definition)
    green = set()
    for index, rule in enumerate(definition.rules):
        for change in changes(rule.when, by_scope[rule.scope], limits):
            bent = replace(rule, when=change.whole)
            every = (*definition.rules[:index], bent, *definition.rules[index + 1 :])
            if not check_scenarios(Protocol(replace(definition, rules=every))):
                green.add((f"the rule `{rule.id}`, `when`", change.clause, change.instead))
    for index, item in enumerate(definition.criteria):
        for change in changes(item.when, declared(definition.facts), limits):
            other = replace(item, when=change.whole)
            rest = definition.criteria
            criteria = (*rest[:index], other, *rest[index + 1 :])
            if not check_scenarios(Protocol(replace(definition, criteria=criteria))):
                green.add((f"the criterion `{item.id}`, `when`", change.clause, change.instead))
    assert told >= spelt(green)
    # Which of several snapshots of one clock, series or visit is the last is not known: a slip that
    # only the end would show is told as one that nobody notices.
    seen_again = {Scope.CLOCK, Scope.LABORATORY, Scope.VISIT}
    doubtful = {f"the rule `{r.id}`, `when`" for r in definition.rules if r.scope in seen_again}
    assert {what for what, _, _ in told - spelt(green)} <= doubtful


def spelt(found):
    return {
        (what, written(clause), "(left out)" if instead is None else written(instead))
        for what, clause, instead in found
    }
