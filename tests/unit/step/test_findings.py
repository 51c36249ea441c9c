"""Findings by the step: their keys, episodes, updates, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

import rules
from rules.errors import EvaluationError
from tests.support.processes import ROOT
from tests.support.step_logs import at, engine, event, protocol, run


def told(outcome):
    return [
        (result.n, change.change.value, change.rule, change.key)
        for result in outcome.results
        for change in result.changes
    ]


def temp(n, time, value):
    return event(n, "observation", time, code="temp", value=value, unit="Cel")


def ae(n, time, received=None, **data):
    return event(n, "adverse_event", time, received, ae="A", **data)


def correct(n, time, target, **more):
    return event(n, "correction", time, corrects={"source": "lab", "id": target}, **more)


ENROLLED = event(1, "enrolment", "2026-01-10T08:00:00", status="enrolled")


def safety(outcome):
    return [row for row in told(outcome) if row[2] in {"S-HOT", "S-SAE", "S-G3", "S-DEATH"}]


def test_an_episode_bears_the_event_that_opened_it_and_a_new_one_begins_only_after_an_end():
    log = [
        ENROLLED,
        temp(2, "2026-01-10T09:00:00", 38.5),
        temp(3, "2026-01-10T10:00:00", 39.0),
        temp(4, "2026-01-15T10:00:00", 38.0),
    ]
    assert safety(run(log)) == [
        (2, "opened", "S-HOT", "lab|e2"),
        (3, "updated", "S-HOT", "lab|e2"),
        (3, "cleared", "S-HOT", "lab|e2"),
        (4, "opened", "S-HOT", "lab|e4"),
    ]


def test_a_clinical_finding_is_read_with_spaces():
    liver: dict[str, Any] = {"code": "alt", "value": 200, "unit": "U/L", "reference_high": 40}
    gall: dict[str, Any] = {
        "code": "bilirubin",
        "value": 50,
        "unit": "umol/L",
        "reference_high": 20,
    }
    given: dict[str, Any] = {"number": 1, "product": "MSC", "status": "completed"}
    log = [
        event(1, "enrolment", "2026-01-10T08:00:00", status="enrolled"),
        event(2, "administration", "2026-01-11T08:00:00", **given),
        event(3, "observation", "2026-01-13T08:00:00", **gall),
        event(4, "observation", "2026-01-13T09:00:00", **liver),
    ]
    flagship = rules.Engine(rules.load(ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"))
    outcome = flagship.subject_steps("t", "S-1", None, log, lambda n: log[:n], None)
    (said,) = [one for one in outcome.results[-1].changes if one.rule == "P-HYS-LAW"]
    assert said.detail.startswith("Hy's law: cholestasis unknown.")
    assert ("hys_law", "cholestasis_unknown") in [(e["fact"], e["value"]) for e in said.evidence]


def test_time_alone_ends_an_episode_at_its_due_instant():
    log = [ENROLLED, temp(2, "2026-01-10T09:00:00", 38.5)]
    outcome = run(log)
    assert outcome.next_due_us == at("2026-01-11T09:00:00") + 1
    (last,) = run(log, until=outcome.next_due_us, state=outcome.state, skip=2).results
    assert (last.n, last.due_us, last.changes[0].because_of) == (2, outcome.next_due_us, None)


def test_the_same_values_again_are_no_update():
    log = [ENROLLED, temp(2, "2026-01-10T09:00:00", 38.5), temp(3, "2026-01-10T10:00:00", 38.5)]
    assert safety(run(log)) == [(2, "opened", "S-HOT", "lab|e2")]


def test_a_corrected_grade_supersedes_what_it_had_raised_and_names_the_correction():
    log = [
        ENROLLED,
        event(2, "administration", "2026-01-10T09:00:00", number=1, status="completed"),
        ae(3, "2026-01-11T09:00:00", grade=3),
        correct(4, "2026-01-12T09:00:00", "e3", data={"ae": "A", "grade": 2}),
    ]
    outcome = run(log)
    assert safety(outcome)[-1] == (4, "superseded", "S-G3", "ae:A")
    assert outcome.results[-1].changes[-1].because_of == "ev4"


def test_a_grade_that_falls_is_the_world_changing():
    log = [
        ENROLLED,
        event(2, "administration", "2026-01-10T09:00:00", number=1, status="completed"),
        ae(3, "2026-01-11T09:00:00", grade=3),
        ae(4, "2026-01-12T09:00:00", grade=1),
    ]
    assert safety(run(log))[-1] == (4, "cleared", "S-G3", "ae:A")


def test_adverse_events_merge_in_order_of_time_then_receipt_and_null_withdraws():
    log = [
        ae(1, "2026-01-11T09:00:00", serious=True, grade=2),
        ae(2, "2026-01-10T09:00:00", "2026-01-12T09:00:00", serious=False),
    ]
    assert safety(run(log)) == [(1, "opened", "S-SAE", "ae:A")]
    log.append(ae(3, "2026-01-13T09:00:00", serious=None))
    assert safety(run(log))[-1] == (3, "cleared", "S-SAE", "ae:A")


def test_a_withdrawn_adverse_event_is_superseded():
    log = [
        ae(1, "2026-01-11T09:00:00", serious=True),
        ae(2, "2026-01-12T09:00:00", status="withdrawn"),
    ]
    assert safety(run(log))[-1] == (2, "superseded", "S-SAE", "ae:A")


@pytest.mark.parametrize("listed", [["death"], ["hospitalisation", "disability"]])
def test_a_listed_criterion_makes_an_event_serious_whatever_the_flag(listed):
    log = [ae(1, "2026-01-11T09:00:00", serious=False, seriousness=listed)]
    assert safety(run(log)) == [(1, "opened", "S-SAE", "ae:A")]


def test_an_event_entered_in_error_takes_all_of_it_back():
    log = [
        event(1, "death", "2026-01-11T09:00:00", causality="related"),
        correct(2, "2026-01-12T09:00:00", "e1", entered_in_error=True),
    ]
    assert safety(run(log)) == [
        (1, "opened", "S-DEATH", "death"),
        (2, "superseded", "S-DEATH", "death"),
    ]


def test_a_correction_whose_target_has_yet_to_come_waits_for_it():
    log = [
        correct(1, "2026-01-11T09:00:00", "e2", entered_in_error=True),
        event(2, "death", "2026-01-12T09:00:00", causality="related"),
    ]
    assert safety(run(log)) == []


def test_the_last_received_correction_wins():
    log = [
        ae(1, "2026-01-11T09:00:00", serious=True),
        correct(2, "2026-01-12T09:00:00", "e1", data={"ae": "A", "serious": False}),
        correct(3, "2026-01-13T09:00:00", "e1", data={"ae": "A", "serious": True}),
    ]
    assert [row[1] for row in safety(run(log))] == ["opened", "superseded", "opened"]


def test_a_correction_entered_in_error_gives_the_event_back():
    log = [
        ae(1, "2026-01-11T09:00:00", serious=True),
        correct(2, "2026-01-12T09:00:00", "e1", entered_in_error=True),
        correct(3, "2026-01-13T09:00:00", "e2", entered_in_error=True),
    ]
    assert [row[1] for row in safety(run(log))] == ["opened", "superseded", "opened"]


def test_a_discarded_event_is_out_of_the_fold():
    log = [
        event(1, "death", "2026-01-11T09:00:00", causality="related"),
        event(2, "discard", "2026-01-12T09:00:00", discards="ev1"),
    ]
    assert safety(run(log))[-1] == (2, "superseded", "S-DEATH", "death")


def test_events_out_of_order_are_refused():
    with pytest.raises(EvaluationError):
        run([event(2, "death", "2026-01-11T09:00:00")])


ELIGIBLE = [
    event(1, "demographics", "2026-01-10T08:00:00", birth_date="1980-06-15", sex="male"),
    event(
        2,
        "consent",
        "2026-01-10T08:00:00",
        document="informed_consent",
        given_by="subject",
        status="given",
    ),
    event(3, "assessment", "2026-01-10T08:00:00", code="ecog", value=1),
    temp(4, "2026-01-10T08:00:00", 36.8),
    event(5, "condition", "2026-01-10T08:00:00", code="infection", status="absent"),
    event(6, "condition", "2026-01-10T08:00:00", code="infarct", status="absent"),
    event(7, "procedure", "2026-01-10T08:00:00", code="stent", status="not_done"),
]


def test_eligibility_is_live_from_the_first_event_and_told_from_screening_on():
    before = run(ELIGIBLE)
    assert (before.decision, told(before)) == ("eligible", [])
    log = [*ELIGIBLE, event(8, "enrolment", "2026-01-10T09:00:00", status="screened")]
    assert told(run(log)) == [(8, "opened", "EL-YES", "lab|e8")]


def enrolled(*more):
    return [*ELIGIBLE, event(8, "enrolment", "2026-01-11T09:00:00", status="enrolled"), *more]


def test_what_happens_after_enrolment_does_not_touch_the_fixed_eligibility():
    log = enrolled(
        temp(9, "2026-01-12T08:00:00", 39.0),
        event(10, "condition", "2026-01-13T08:00:00", code="infarct", status="active"),
        event(11, "enrolment", "2026-01-14T08:00:00", status="withdrawn"),
    )
    outcome = run(log)
    assert outcome.decision == "eligible"
    view = engine().view(outcome.state)
    assert view["anchor"] == {"event": "ev8", "time": "2026-01-11T14:00:00Z"}
    assert outcome.status == "withdrawn"


@pytest.mark.parametrize(
    ("late", "decision"),
    [
        (event(9, "observation", "2026-01-11T08:00:00", "2026-01-20T08:00:00", code="temp", value=39.0, unit="Cel"), "ineligible"),
        (event(9, "condition", "2026-01-20T08:00:00", code="infarct", status="active", onset="2025-12-01"), "ineligible"),
        (event(9, "condition", "2026-01-20T08:00:00", code="infarct", status="active", onset="2025"), "indeterminate"),
    ],
)  # fmt: skip
def test_late_data_about_the_enrolments_moment_change_it(late, decision):
    outcome = run(enrolled(late))
    assert outcome.decision == decision
    assert told(outcome) == [(9, "opened", "EL-WRONG", "enrolment")]


def test_a_late_repair_supersedes_what_was_said_of_the_enrolment():
    log = [one for one in enrolled() if one.n != 4]
    log = [rules.Event(n, *_rest(one)) for n, one in enumerate(log, 1)]
    repaired = [
        *log,
        event(
            8,
            "observation",
            "2026-01-11T08:00:00",
            "2026-01-20T08:00:00",
            code="temp",
            value=36.6,
            unit="Cel",
        ),
    ]
    assert [row[1:3] for row in told(run(repaired))] == [
        ("opened", "EL-WRONG"),
        ("superseded", "EL-WRONG"),
    ]


def _rest(one):
    return (
        one.event,
        one.source,
        one.id,
        one.type,
        one.time_us,
        one.timeprecision,
        one.received_us,
        one.data,
    )


def test_an_enrolment_entered_in_error_makes_eligibility_live_again():
    log = enrolled(
        temp(9, "2026-01-12T08:00:00", 39.0),
        correct(10, "2026-01-13T08:00:00", "e8", entered_in_error=True),
    )
    outcome = run(log)
    assert engine().view(outcome.state)["anchor"] is None
    assert outcome.decision == "ineligible"
    assert [c.withdrawn for r in outcome.results for c in r.contributions] == [False, True]


def test_an_override_satisfies_until_it_expires_and_leaves_the_verdict():
    woman = event(1, "demographics", "2026-01-10T08:00:00", birth_date="1980-06-15", sex="female")
    log = [
        woman,
        *ELIGIBLE[1:],
        event(8, "assessment", "2026-01-10T08:00:00", code="unfit", value=True),
        event(
            9,
            "override",
            "2026-01-11T08:00:00",
            criterion="E3",
            by="dr",
            reason="r",
            expires="2026-01-18",
        ),
    ]
    outcome = run(log)
    assert outcome.decision == "eligible"
    found = {item["id"]: item for item in engine().view(outcome.state)["criteria"]}["E3"]
    assert (found["verdict"], found["satisfied"]) == ("met", True)
    assert found["overridden"]["by"] == "dr"
    assert run(log, until="2026-01-18T23:59:59").decision == "eligible"
    later = run(log, until="2026-01-19T00:00:00")
    assert later.decision == "ineligible"
    assert later.results[-1].due_us == at("2026-01-19T00:00:00")


def test_an_infusion_is_judged_as_of_its_start_and_needs_a_definite_enrolment():
    before = event(
        9,
        "administration",
        "2026-01-11T08:00:00",
        "2026-01-11T10:00:00",
        number=1,
        status="completed",
    )
    assert told(run(enrolled(before))) == [(9, "opened", "S-INF-HOT", "infusion:1")]
    after = event(9, "administration", "2026-01-11T10:00:00", number=1, status="completed")
    undone = event(10, "administration", "2026-01-11T11:00:00", number=1, status="not_done")
    infected = event(
        10,
        "condition",
        "2026-01-11T11:00:00",
        code="infection",
        status="active",
        onset="2026-01-05",
    )
    history = event(11, "condition", "2026-01-12T11:00:00", code="infection", status="absent")
    assert told(run(enrolled(after))) == []
    log = enrolled(after, infected, history)
    assert (10, "opened", "S-INF-HOT", "infusion:1") in told(run(log))
    assert (11, "superseded", "S-INF-HOT", "infusion:1") in told(
        run(enrolled(after, infected, _moved(undone, 11)))
    )


def test_an_infusion_that_took_place_after_all_is_told_again():
    def at_eight(n, status, hour):
        received = f"2026-01-11T{hour}:00:00"
        return event(n, "administration", "2026-01-11T08:00:00", received, number=1, status=status)

    log = enrolled(
        at_eight(9, "completed", 10), at_eight(10, "not_done", 11), at_eight(11, "completed", 12)
    )
    assert [row[:2] for row in told(run(log))] == [
        (9, "opened"),
        (10, "superseded"),
        (11, "opened"),
    ]


def _moved(one, n):
    return rules.Event(
        n,
        f"ev{n}",
        "lab",
        f"e{n}",
        one.type,
        one.time_us,
        one.timeprecision,
        one.received_us,
        one.data,
    )


def test_a_stopping_unit_is_pending_then_evaluable_by_time_or_by_its_first_endpoint():
    infused = event(9, "administration", "2026-01-12T09:00:00", number=1, status="completed")
    quiet = run(enrolled(infused), until="2026-03-01T09:00:00")
    said = [c for r in quiet.results for c in r.contributions if c.rule == "ST-TOX"]
    assert [(c.evaluable, c.event, c.revision) for c in said] == [
        (False, False, 1),
        (True, False, 2),
    ]
    assert said[1].since_us == said[1].at_us == at("2026-02-09T09:00:00")
    toxic = run(enrolled(infused, ae(10, "2026-01-20T09:00:00", grade=3, onset="2026-01-19")))
    (last,) = [c for c in toxic.results[-1].contributions if c.rule == "ST-TOX"]
    assert (last.evaluable, last.event, last.since_us) == (True, True, at("2026-01-19T00:00:00"))


def test_an_adverse_event_before_the_first_infusion_is_no_endpoint():
    infused = event(9, "administration", "2026-01-12T09:00:00", number=1, status="completed")
    log = enrolled(infused, ae(10, "2026-01-20T09:00:00", grade=3, onset="2026-01-10"))
    said = [c for r in run(log).results for c in r.contributions if c.rule == "ST-TOX"]
    assert [(c.evaluable, c.event) for c in said] == [(False, False)]


def test_a_disagreement_of_the_engines_is_told_to_operations_and_nothing_is_lost():
    class Disagreeing:
        def fire(self, scope, snapshot):
            fired = frozenset({"S-DEATH"}) if scope == rules.Scope.DEATH else frozenset()
            return type("Fired", (), {"rules": fired, "disagreement": frozenset({"S-DEATH"})})()

        def confirm(self, snapshot, verdicts):
            return frozenset()

    log = [event(1, "death", "2026-01-11T09:00:00", causality="related")]
    one = rules.Engine(protocol(), lambda _definition: Disagreeing())
    outcome = one.subject_steps("t", "S-1", None, log, lambda n: log[:n])
    assert {change.rule for change in outcome.results[0].changes} == {
        "S-DEATH",
        "OPS-ENGINES-DISAGREE",
    }


def test_a_condition_told_late_and_already_over_is_dated_by_what_ended_it():
    log = [
        event(1, "administration", "2026-01-13T10:00:00", product="MSC", number=1, status="completed"),
        event(2, "condition", "2026-01-28T09:00:00", code="infarct", status="absent", onset="2026-01"),
        event(3, "condition", "2026-01-22T09:00:00", "2026-01-30T09:00:00", code="infarct", status="active"),
    ]  # fmt: skip
    assert (3, "opened", "S-INF-PERHAPS", "infusion:1") in told(run(log))
