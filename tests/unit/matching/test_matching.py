"""Who is told: one row per case of a filter against one change of an alert."""

from dataclasses import replace

import orjson
import pytest

from services.matching import About, wish

SERIOUS = About(
    trial="msc",
    replay=False,
    subject="S-1",
    site="KR-01",
    rule="S-FEVER",
    categories=frozenset({"safety"}),
    severity_rank=2,
    event="alert.opened",
)
PAST = replace(SERIOUS, replay=True)
OF_TRIAL = replace(SERIOUS, subject=None, site=None)
HELD = replace(SERIOUS, rule="OPS-HELD", categories=frozenset({"operations", "safety"}))


def wanted(filter_=None, events=(), within=None):
    trials = None if within is None else orjson.dumps(within).decode()
    return wish(orjson.dumps(filter_ or {}).decode(), orjson.dumps(list(events)).decode(), trials)


@pytest.mark.parametrize(
    ("sentence", "asked", "about", "told"),
    [
        ("an empty filter wants everything", wanted(), SERIOUS, True),
        ("a named trial is wanted", wanted({"trials": ["msc"]}), SERIOUS, True),
        ("another trial is not", wanted({"trials": ["other"]}), SERIOUS, False),
        ("a named category is wanted", wanted({"categories": ["safety"]}), SERIOUS, True),
        ("another category is not", wanted({"categories": ["stopping"]}), SERIOUS, False),
        ("the least severity is wanted", wanted({"min_severity": "serious"}), SERIOUS, True),
        ("less than that is not", wanted({"min_severity": "critical"}), SERIOUS, False),
        ("a named subject is wanted", wanted({"subjects": ["S-1"]}), SERIOUS, True),
        ("another subject is not", wanted({"subjects": ["S-2"]}), SERIOUS, False),
        (
            "who asks for a subject does not hear of the trial",
            wanted({"subjects": ["S-1"]}),
            OF_TRIAL,
            False,
        ),
        ("a named site is wanted", wanted({"sites": ["KR-01"]}), SERIOUS, True),
        ("another site is not", wanted({"sites": ["KR-02"]}), SERIOUS, False),
        ("a named rule is wanted", wanted({"rules": ["S-FEVER"]}), SERIOUS, True),
        ("another rule is not", wanted({"rules": ["S-SAE"]}), SERIOUS, False),
        ("a named event is wanted", wanted(events=["alert.opened"]), SERIOUS, True),
        ("another event is not", wanted(events=["alert.resolved"]), SERIOUS, False),
        ("every part must fit", wanted({"trials": ["msc"], "rules": ["S-SAE"]}), SERIOUS, False),
        ("a key's trials bound what is seen", wanted(within=["other"]), SERIOUS, False),
        (
            "also where the filter names the trial",
            wanted({"trials": ["msc"]}, within=["other"]),
            SERIOUS,
            False,
        ),
        (
            "within the key's trials an empty filter wants all",
            wanted(within=["msc"]),
            SERIOUS,
            True,
        ),
        ("a key of no trial sees none", wanted(within=[]), SERIOUS, False),
        ("a replay trial is not told to who asks for all", wanted(), PAST, False),
        ("it is told to who names it", wanted({"trials": ["msc"]}), PAST, True),
        ("but not beyond the key", wanted({"trials": ["msc"]}, within=["other"]), PAST, False),
        ("safety hears of a held stream", wanted({"categories": ["safety"]}), HELD, True),
        ("operations too", wanted({"categories": ["operations"]}), HELD, True),
        ("eligibility does not", wanted({"categories": ["eligibility"]}), HELD, False),
    ],
)
def test_a_filter_tells_exactly_who_asked(sentence, asked, about, told):
    assert asked.wants(about) is told, sentence
