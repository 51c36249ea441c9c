"""The function written by hand, which the benchmark measures beside the rules, says the same."""

from random import Random

import pytest

import rules
from services.bench.handwritten import verdicts
from services.bench.single import FLAGSHIP

OTHERS = {
    "ecog": range(6),
    "nyha_class": range(1, 5),
    "body_temperature": (36.5, 37.9, 38.0, 40.0),
    "diastolic_bp": (80.0, 115.0, 115.5),
    "age_years": (0, 1, 4, 5, 12, 13, 80, 81),
}


@pytest.fixture(scope="module")
def protocol():
    return rules.load(FLAGSHIP)


@pytest.mark.parametrize("seed", range(8))
def test_the_function_written_by_hand_decides_as_the_protocol_does(protocol, seed):
    chance = Random(seed)
    for _ in range(300):
        facts = {}
        for name in protocol.definition.facts:
            spec = protocol.definition.facts[name]
            choices = OTHERS.get(name) or spec.values or (False, False, True)
            if chance.random() < 0.8 and spec.value != "string":
                facts[name] = chance.choice(list(choices))
        for name, spec in protocol.definition.facts.items():
            if spec.value in ("number", "integer") and name not in OTHERS:
                facts.pop(name, None)
        made = protocol.assess(facts)
        assert verdicts(facts) == (made.verdicts, made.decision.value)
