"""The knowledge base inside its envelope: what it compiles, what it survives, what it never hides."""

import os
import threading

import pytest

import rules
from rules.errors import EvaluationError
from rules.knowledge import CANARY, ENGINE_FAILED, KnowledgeBase
from rules.language.rulesets import MAX_LEAVES, compile_shards
from rules.model import Scalar
from rules.terms import Scope, Verdict
from tests.support.small import SMALL

DEFINITION = rules.loads(SMALL).definition
FEVER: dict[str, Scalar] = {
    "hottest": 38.5,
    "ecog": 1,
    "age_years": 30,
    "sex": "female",
    "hiv": "negative",
}


@pytest.fixture
def base():
    made = KnowledgeBase(DEFINITION)
    yield made
    made.close()


def test_the_rulesets_are_guarded_plain_conjunctions():
    (shard,) = compile_shards(DEFINITION)["adverse_event"]
    assert shard.name == "small@1.0:adverse_event:0"
    assert shard.fields == ("serious", "seriousness_criteria")
    assert shard.rules == {
        "S-SAE/0": {"$and": [{"k": "adverse_event"}, {"$ex": {"serious": 1}}, {"serious": True}]},
        "S-SAE/1": {
            "$and": [
                {"k": "adverse_event"},
                {"$ex": {"seriousness_criteria": 1}},
                {"$gt": {"seriousness_criteria": 0}},
            ]
        },
    }
    (criteria,) = compile_shards(DEFINITION)["criteria"]
    assert list(criteria.rules) == [
        "I1:met/0", "I1:not_met/0", "I1:not_met/1", "I3:met/0", "I3:not_met/0",
        "E1:met/0", "E1:met/1", "E1:not_met/0", "E1:not_met/1", "E1:not_applicable/0",
    ]  # fmt: skip
    assert criteria.rules["I3:not_met/0"] == {
        "$and": [
            {"k": "criteria"},
            {"$ex": {"ecog": 1}},
            {"$neq": {"ecog": 0}},
            {"$neq": {"ecog": 1}},
            {"$neq": {"ecog": 2}},
        ]
    }
    assert criteria.rules["I3:met/0"]["$and"][2] == {"$or": [{"ecog": 0}, {"ecog": 1}, {"ecog": 2}]}


def leaf_count(node):
    return sum(map(leaf_count, next(iter(node.values())))) if node.keys() & {"$and", "$or"} else 1


def test_no_ruleset_of_the_flagship_holds_more_leaves_than_the_engine_bears():
    flagship = rules.load("rules/protocols/msc-cgvhd.yaml").definition
    for shards in compile_shards(flagship).values():
        for shard in shards:
            assert sum(map(leaf_count, shard.rules.values())) < MAX_LEAVES


def test_the_same_protocol_compiles_to_the_same_rulesets():
    assert compile_shards(DEFINITION) == compile_shards(rules.loads(SMALL).definition)


def test_rules_fire_and_missing_facts_do_not(base):
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    assert base.fire(Scope.SUBJECT, {"hottest": 37.9}).rules == set()
    assert base.fire(Scope.SUBJECT, {}).rules == set()
    assert base.fire(Scope.DEATH, {"causality": "related"}).rules == set()


def test_the_criteria_are_judged_by_the_engine_as_by_the_functions(base):
    protocol = rules.loads(SMALL)
    cases: list[dict[str, Scalar]] = [
        FEVER,
        {},
        FEVER | {"sex": "male"},
        FEVER | {"ecog": 4},
        {"hiv": "positive"},
    ]
    for facts in cases:
        codes = protocol.assess(facts).verdict_codes
        assert base.verdicts(facts) == codes
        assert base.confirm(facts, codes) == frozenset()


def test_a_wrong_verdict_is_named(base):
    codes = rules.loads(SMALL).assess(FEVER).verdict_codes
    assert base.confirm(FEVER, codes | {"I3": Verdict.NOT_MET}) == {"I3"}


def test_no_thread_is_started(base):
    before = threading.active_count()
    base.fire(Scope.SUBJECT, FEVER)
    assert threading.active_count() == before


def test_nothing_of_a_subject_stays_in_the_engine(base):
    for _ in range(5):
        base.fire(Scope.SUBJECT, FEVER)
    assert base._engine.host.get_facts("small@1.0:subject:0", "vigil") == []


def test_nothing_of_durable_is_built_before_the_first_question(base):
    assert base._engine is None
    base.fire(Scope.SUBJECT, FEVER)
    assert base._engine is not None


@pytest.mark.parametrize(
    ("value", "rule"),
    [(1e-05, set()), (-1e-05, set()), (1e22, {"S-FEVER"}), (-1e22, set()), (2**60, {"S-FEVER"}), (5e-324, set())],
)  # fmt: skip
def test_a_number_that_the_engine_cannot_read_loses_no_alert(base, value, rule):
    fired = base.fire(Scope.SUBJECT, {"hottest": value})
    assert (set(fired.rules), set(fired.disagreement)) == (rule, set())
    assert base.counts["rebuilds"] == 0


@pytest.mark.parametrize("value", ["38", True, float("nan"), float("inf"), [38], b"38"])
def test_a_value_of_another_type_is_refused_and_the_engine_lives_on(base, value):
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    with pytest.raises(EvaluationError, match="hottest"):
        base.fire(Scope.SUBJECT, {"hottest": value})
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    assert base.counts["rebuilds"] == 0


def test_a_snapshot_carries_only_what_its_shard_asks_for(base):
    (cleaner,) = base.cleaners["subject"]
    message = cleaner.message(FEVER | {"note": "x" * 9999})
    assert message == {"sid": "vigil", "k": "subject", "hottest": 38.5}


def test_an_engine_that_dies_is_rebuilt_and_nobody_notices(base):
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    base._engine.host._ruleset_directory.clear()  # it now knows no ruleset and raises
    fired = base.fire(Scope.SUBJECT, FEVER)
    assert (set(fired.rules), set(fired.disagreement)) == ({"S-FEVER"}, set())
    assert base.counts["failures"] == base.counts["rebuilds"] == 1
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    assert base.counts["failures"] == 1


def test_a_fact_left_behind_makes_no_old_firing(base):
    base.fire(Scope.SUBJECT, FEVER)
    engine = base._engine
    name = base.cleaners["subject"][0].name
    left = {"sid": "vigil", "id": f"f{engine.asked + 1}", "k": "subject", "hottest": 39.0}
    engine.host.assert_fact(name, left)  # the next id is taken: the engine says "observed"
    assert base.fire(Scope.SUBJECT, {"hottest": 36.0}).rules == set()
    assert base.counts["rebuilds"] == 1


def test_a_canary_that_does_not_sing_is_a_failure(base, monkeypatch):
    base.fire(Scope.SUBJECT, FEVER)
    actions = base._engine.host.get_ruleset("small@1.0:subject:0")._actions
    monkeypatch.setattr(actions[CANARY], "_func", lambda _closure: None)
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    assert base.counts["failures"] == base.counts["rebuilds"] == 1


def test_an_action_that_raises_is_a_failure(base, monkeypatch):
    base.fire(Scope.SUBJECT, FEVER)
    actions = base._engine.host.get_ruleset("small@1.0:subject:0")._actions

    def broken(_closure):
        raise KeyError

    monkeypatch.setattr(actions["S-FEVER/0"], "_func", broken)
    assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
    assert base.counts["failures"] == base.counts["rebuilds"] == 1


def test_an_engine_that_lies_is_rebuilt_and_a_lying_rebuild_is_told(base):
    base.twins["subject"] = lambda facts: frozenset({"S-OTHER"})  # now the two differ for good
    fired = base.fire(Scope.SUBJECT, FEVER)
    assert fired.rules == {"S-FEVER", "S-OTHER"}
    assert fired.disagreement == {"S-FEVER", "S-OTHER"}
    assert base.counts["rebuilds"] == base.counts["disagreements"] == 1


def test_where_no_engine_can_be_built_the_twin_decides_and_says_so(base):
    broken = {"bad": {"$what": {"hottest": 1}}}
    (shard,) = base.groups["subject"]
    base.groups["subject"] = (type(shard)(shard.name, shard.kind, broken, shard.fields),)
    fired = base.fire(Scope.SUBJECT, FEVER)
    assert (fired.rules, fired.disagreement) == ({"S-FEVER"}, {ENGINE_FAILED})
    assert base.counts["failures"] == 2
    codes = rules.loads(SMALL).assess(FEVER).verdict_codes
    assert base.confirm(FEVER, codes) == {ENGINE_FAILED}


def test_the_given_data_survive_the_engine_which_deletes_what_it_is_given(base):
    before = compile_shards(DEFINITION)
    base.fire(Scope.SUBJECT, FEVER)
    assert base.groups == before


def test_after_a_fork_the_child_builds_its_own_engine(base):
    base.fire(Scope.SUBJECT, FEVER)
    parent = base._engine
    child = os.fork()
    if child == 0:
        ok = base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"} and base._engine is not parent
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_many_engines_may_be_built_and_freed():
    for _ in range(30):
        base = KnowledgeBase(DEFINITION)
        assert base.fire(Scope.SUBJECT, FEVER).rules == {"S-FEVER"}
        base.close()
