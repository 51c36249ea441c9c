"""Rules about one adverse event may speak of the subject as it was at the onset, and of cohorts."""

from __future__ import annotations

from tests.support.entity_trial import counted, opened, run, told
from tests.support.step_logs import event


def temp(n, time, value, received=None, **more):
    return event(n, "observation", time, received, code="temp", value=value, unit="Cel", **more)


def ae(n, time, received=None, **data):
    return event(n, "adverse_event", time, received, ae="A", **data)


def infusion(n, time, number=1, **data):
    return event(n, "administration", time, number=number, status="completed", **data)


def cohort(n, time, value, received=None):
    return event(n, "assessment", time, received, code="cohort", value=value)


ENROLLED = event(1, "enrolment", "2026-01-09T08:00:00", status="enrolled")


def rules_of(outcome, rule):
    return [(n, change) for n, change, found, _ in told(outcome) if found == rule]


def test_an_adverse_event_is_judged_with_what_was_so_at_its_onset():
    hot = temp(1, "2026-01-10T07:00:00", 38.6)
    during = run([hot, ae(2, "2026-01-10T09:00:00", grade=2)])
    assert ("S-FEBRILE", "ae:A") in opened(during)
    after = run([hot, ae(2, "2026-01-11T08:00:00", grade=2)])
    assert ("S-FEBRILE", "ae:A") not in opened(after)


def test_the_onset_counts_and_not_the_day_on_which_somebody_told_of_it():
    log = [
        temp(1, "2026-01-10T07:00:00", 38.6),
        ae(2, "2026-01-20T09:00:00", grade=2, onset="2026-01-10T09:00:00-05:00"),
    ]
    assert ("S-FEBRILE", "ae:A") in opened(run(log))


def test_a_late_datum_about_the_onset_opens_the_alert_and_a_later_one_does_not():
    begun = ae(1, "2026-01-10T09:00:00", grade=2)
    late = temp(2, "2026-01-10T08:00:00", 39.0, "2026-01-12T08:00:00")
    assert rules_of(run([begun, late]), "S-FEBRILE") == [(2, "opened")]
    after = temp(2, "2026-01-10T10:00:00", 39.0, "2026-01-12T08:00:00")
    assert rules_of(run([begun, after]), "S-FEBRILE") == []


def test_what_only_later_data_take_back_is_superseded():
    log = [
        temp(1, "2026-01-10T08:00:00", 39.0),
        ae(2, "2026-01-10T09:00:00", grade=2),
        event(
            3, "correction", "2026-01-11T09:00:00",
            corrects={"source": "lab", "id": "e1"}, data={"code": "temp", "value": 36.9, "unit": "Cel"},
        ),
    ]  # fmt: skip
    assert rules_of(run(log), "S-FEBRILE") == [(2, "opened"), (3, "superseded")]


def test_a_corrected_onset_moves_the_moment_that_is_looked_at():
    log = [
        temp(1, "2026-01-10T08:00:00", 39.0),
        ae(2, "2026-01-10T09:00:00", grade=2, onset="2026-01-10T09:00:00-05:00"),
        event(
            3, "correction", "2026-01-15T09:00:00",
            corrects={"source": "lab", "id": "e2"},
            data={"ae": "A", "grade": 2, "onset": "2026-01-13T09:00:00-05:00"},
        ),
    ]  # fmt: skip
    assert rules_of(run(log), "S-FEBRILE") == [(2, "opened"), (3, "superseded")]


def test_an_onset_known_by_its_day_alone_leaves_open_what_changed_on_that_day():
    given = infusion(2, "2026-01-10T10:00:00")
    day = ae(3, "2026-01-10T00:00:00", "2026-01-12T08:00:00", precision="day")
    assert ("S-EARLY", "ae:A") not in opened(run([ENROLLED, given, day]))
    next_day = ae(3, "2026-01-11T00:00:00", "2026-01-12T08:00:00", precision="day")
    assert ("S-EARLY", "ae:A") in opened(run([ENROLLED, given, next_day]))


def test_infusions_given_by_the_onset_are_counted_and_later_ones_are_not():
    log = [ENROLLED, infusion(2, "2026-01-10T10:00:00"), ae(3, "2026-01-11T09:00:00")]
    assert ("S-EARLY", "ae:A") in opened(run(log))
    second = infusion(4, "2026-01-12T10:00:00", number=2)
    assert rules_of(run([*log, second]), "S-EARLY") == [(3, "opened")]
    late = infusion(4, "2026-01-10T12:00:00", number=2)
    log = [*log[:3], event(4, "administration", "2026-01-10T12:00:00", "2026-01-13T10:00:00",
                           number=2, status="completed")]  # fmt: skip
    assert late.time_us == log[3].time_us
    assert rules_of(run(log), "S-EARLY") == [(3, "opened"), (4, "superseded")]


def test_an_infusion_that_is_told_not_done_later_takes_its_alerts_with_it():
    log = [
        ENROLLED,
        infusion(2, "2026-01-10T10:00:00"),
        ae(3, "2026-01-11T09:00:00"),
        event(4, "administration", "2026-01-12T10:00:00", number=1, status="not_done"),
    ]
    assert rules_of(run(log), "S-EARLY") == [(3, "opened"), (4, "superseded")]


def test_an_adverse_event_that_is_taken_back_supersedes_its_alerts():
    log = [ae(1, "2026-01-11T09:00:00", term="Anaphylaxis")]
    assert ("S-TERM", "ae:A") in opened(run(log))
    log.append(ae(2, "2026-01-12T09:00:00", status="withdrawn"))
    assert rules_of(run(log), "S-TERM") == [(1, "opened"), (2, "superseded")]


def test_the_decision_of_the_enrolment_stands_for_adverse_events_too():
    log = [
        cohort(1, "2026-01-09T08:00:00", "low"),
        event(2, "enrolment", "2026-01-09T09:00:00", status="enrolled"),
        ae(3, "2026-01-11T09:00:00"),
    ]
    assert ("S-NOT", "ae:A") not in opened(run(log))
    assert ("S-NOT", "ae:A") in opened(run([ENROLLED, ae(2, "2026-01-11T09:00:00")]))


def test_only_subjects_of_the_cohort_count_for_its_stopping_rule():
    log = [cohort(1, "2026-01-09T08:00:00", "low"), infusion(2, "2026-01-10T10:00:00")]
    assert counted(run(log)) == {"infused": (True, True), "ST-DLT-LOW": (False, False)}
    log = [cohort(1, "2026-01-09T08:00:00", "high"), infusion(2, "2026-01-10T10:00:00")]
    assert counted(run(log)) == {"infused": (True, True), "ST-DLT-HIGH": (False, False)}
    assert counted(run([infusion(1, "2026-01-10T10:00:00")])) == {"infused": (True, True)}


def test_a_cohort_told_late_counts_and_one_after_the_infusion_does_not():
    given = infusion(1, "2026-01-10T10:00:00")
    late = cohort(2, "2026-01-09T08:00:00", "low", "2026-01-11T08:00:00")
    assert "ST-DLT-LOW" in counted(run([given, late]))
    after = cohort(2, "2026-01-11T08:00:00", "low")
    assert counted(run([given, after])) == {"infused": (True, True)}


def test_an_endpoint_may_speak_of_the_subject_at_the_onset():
    log = [
        cohort(1, "2026-01-09T08:00:00", "low"),
        infusion(2, "2026-01-10T10:00:00"),
        event(3, "medication", "2026-01-10T12:00:00", code="steroid", status="stopped"),
        ae(4, "2026-01-11T09:00:00", grade=3),
    ]
    assert counted(run(log))["ST-DLT-LOW"] == (True, True)
    late = event(
        5, "medication", "2026-01-11T08:00:00", "2026-01-12T08:00:00", code="steroid", status="started"
    )  # fmt: skip
    assert counted(run([*log, late]))["ST-DLT-LOW"] == (False, False)
