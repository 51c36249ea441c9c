"""Accrual, lost subjects and consents taken back: the flagship's figures against a direct count."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules.facts.calendar import iso, to_us
from rules.replay import open_findings, replay_trial
from tests.support.processes import ROOT
from tests.support.step_logs import event

SUBJECTS = ("S-1", "S-2")
RULES = ("CO-LOST", "CO-LEFT-EARLY", "CO-CONSENT-WITHDRAWN")
OVER = {"lost", "withdrawn", "treatment_stopped", "completed"}
DAY_US = 24 * 3600 * 1_000_000
MONTH_US = DAY_US * 365.25 / 12
Row = tuple[str, int, str, dict[str, Any]]  # subject, day it happened on, type, data


@cache
def engine() -> rules.Engine:
    return rules.Engine(rules.load(ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"))


_STATUS = st.sampled_from(["screened", "enrolled", "enrolled", "enrolled", *sorted(OVER)])
_CONSENT = st.sampled_from(["given", "withdrawn", "withdrawn"])
_TOLD = st.one_of(
    st.tuples(st.just("enrolment"), _STATUS.map(lambda one: {"status": one})),
    st.tuples(
        st.just("consent"),
        _CONSENT.map(
            lambda one: {"document": "informed_consent", "given_by": "subject", "status": one}
        ),
    ),
    st.tuples(
        st.just("administration"),
        st.integers(1, 4).flatmap(
            lambda number: st.sampled_from(["completed", "not_done"]).map(
                lambda status: {"product": "MSC", "number": number, "status": status}
            )
        ),
    ),
    st.tuples(st.just("correction"), st.integers(0, 9).map(lambda back: {"back": back})),
)
rows = st.lists(
    st.tuples(st.sampled_from(SUBJECTS), st.integers(0, 150), _TOLD),
    min_size=10,
    max_size=24,
    unique_by=lambda row: row[:2],
)


def logs_of(told: list[Any]) -> tuple[dict[str, list[rules.Event]], list[Row]]:
    """Each subject's log, received in the order drawn; and what stands after all corrections."""
    logs: dict[str, list[rules.Event]] = {}
    standing: dict[str, dict[str, Row]] = {}
    for n, (subject, day, (kind, data)) in enumerate(told):
        log, held = logs.setdefault(subject, []), standing.setdefault(subject, {})
        received = f"2026-08-01T{n:02d}:00:00Z" if n < 24 else "2026-08-02T00:00:00Z"
        if kind == "correction":
            if not held:
                continue
            name = sorted(held)[data["back"] % len(held)]
            wrong: dict[str, Any] = {"corrects": {"source": "lab", "id": name}}
            wrong |= {"entered_in_error": True}
            made = event(len(log) + 1, kind, received, received, reason="another's chart", **wrong)
            del held[name]
        else:
            made = event(len(log) + 1, kind, START + day * DAY_US, received, **data)
            held[made.id] = (subject, day, kind, data)
        assert made.source == "lab"
        log.append(made)
    return logs, [row for held in standing.values() for row in held.values()]


START = to_us(datetime(2026, 2, 1, 9, tzinfo=UTC))
NOW_US = to_us(datetime(2026, 8, 10, tzinfo=UTC))


def of(told: list[Row], subject: str, kind: str) -> list[tuple[int, dict[str, Any]]]:
    """In order of clinical time."""
    found = [(day, data) for who, day, what, data in told if (who, what) == (subject, kind)]
    return sorted(found, key=lambda one: one[0])


def enrolled_on(told: list[Row], subject: str) -> int | None:
    days = [day for day, data in of(told, subject, "enrolment") if data["status"] == "enrolled"]
    return min(days, default=None)


def by_hand(told: list[Row], subject: str) -> set[str]:
    """The rules of conduct that hold of a subject in the end."""
    words = [data["status"] for _, data in of(told, subject, "enrolment")]
    numbers = {data["number"]: data["status"] for _, data in of(told, subject, "administration")}
    infusions = sum(status == "completed" for status in numbers.values())
    last = words[-1] if words else None
    turns = [word for word in words if word == "enrolled" or word in OVER - {"treatment_stopped"}]
    consents = [data["status"] for _, data in of(told, subject, "consent")]
    found = set()
    if last == "lost" and infusions:
        found.add("CO-LOST")
    if last in {"withdrawn", "treatment_stopped"} and 0 < infusions < 4:
        found.add("CO-LEFT-EARLY")
    if turns and turns[-1] == "enrolled" and consents and consents[-1] == "withdrawn":
        found.add("CO-CONSENT-WITHDRAWN")
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows)
def test_the_figures_of_conduct_are_those_of_a_direct_count(told: list[Any]) -> None:
    logs, standing = logs_of(told)
    replayed = replay_trial(engine(), "t", logs, NOW_US)
    for subject, outcome in replayed.subjects.items():
        held = {rule for rule, _ in open_findings(outcome.results)} & set(RULES)
        assert held == by_hand(standing, subject), subject
    days = {subject: enrolled_on(standing, subject) for subject in SUBJECTS}
    path = sorted((day, subject) for subject, day in days.items() if day is not None)
    found = engine().accrual_view(replayed.trial.state, NOW_US)
    assert found["enrolled"] == len(path)
    assert [(one["at"], one["subject"], one["enrolled"]) for one in found["path"]] == [
        (iso(START + day * DAY_US), subject, n) for n, (day, subject) in enumerate(path, 1)
    ]
    if len(path) < 2:
        assert found["per_month"] is None
    else:
        months = (NOW_US - START - path[0][0] * DAY_US) / MONTH_US
        assert found["per_month"] == round((len(path) - 1) / months, 2)
