"""Reporting clocks stand where plain arithmetic over all that was told says, at every instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules.facts.calendar import iso as iso_us
from rules.facts.calendar import to_us
from rules.terms import ClockStage
from tests.support.clock_trial import HEAD, RULE, ae, correction
from tests.support.reference.clocks import TICK, Answer, Case, Known, Row, Rule

# Site, sponsor, and a time near which the sponsor's calendar does something.
PLACES = (
    ("Asia/Seoul", "Europe/Berlin", "2026-10-18T00:00:00+00:00"),  # the clocks go back
    ("Europe/Berlin", "Europe/Berlin", "2026-03-22T00:00:00+00:00"),  # and forward
    ("America/New_York", "Asia/Seoul", "2027-12-24T00:00:00+00:00"),  # the year ends
    ("Asia/Seoul", "America/New_York", "2028-02-14T00:00:00+00:00"),  # a leap day; clocks in March
    ("America/New_York", "America/Sao_Paulo", "2018-10-27T00:00:00+00:00"),  # a day begins at 1:00
    ("Asia/Seoul", "Africa/Cairo", "2026-04-16T00:00:00+00:00"),  # and so here
)
STAGES = tuple(stage.value for stage in ClockStage)


def _serious(known: Known) -> bool | None:
    return known.get("serious")


def _fatal(known: Known) -> bool | None:
    grade = known.get("grade")
    return None if grade is None else grade >= 5


def _serious_and_fatal(known: Known) -> bool | None:
    both = (_serious(known), _fatal(known))
    return False if False in both else (None if None in both else True)


def _relapse(known: Known) -> bool | None:
    return None if known.get("term") is None else known["term"] == "Relapse"


TO_AUTHORITY = Rule(_serious, "reported_at", "submitted_at", days=15)
CLOCKS = {
    "SAE-24": Rule(_serious, "aware_at", "reported_at", hours=24, exempt=_relapse),
    "FATAL-7": replace(TO_AUTHORITY, when=_serious_and_fatal, days=7),
    "FATAL-15": replace(TO_AUTHORITY, when=_serious_and_fatal, nth=2),
    "OTHER-15": replace(TO_AUTHORITY, spared=_fatal),
    "NEWS-15": replace(TO_AUTHORITY, restarts=("grade", "outcome")),
}


@cache
def engine(site: str, sponsor: str) -> rules.Engine:
    text = HEAD.replace("Asia/Seoul", "SITE").replace("Europe/Berlin", sponsor)
    told = "".join(
        RULE.format(f"S-{number}", "info", f'clock_stage == "{stage}"')
        for number, stage in enumerate(STAGES)
    )
    return rules.Engine(rules.loads(text.replace("SITE", site) + "rules:\n" + told, "c.yaml"))


# --- what is told -----------------------------------------------------------------------------
class Told(NamedTuple):
    """A log, what it comes to when its corrections are applied, and where."""

    log: list[rules.Event]
    case: Case


@st.composite
def wordings(draw: Any, base: datetime) -> str:
    """One of few instants, so that they are told again; in one of three wordings."""
    moment = base + timedelta(
        days=draw(st.sampled_from((0, 1, 2, 6))), hours=draw(st.sampled_from((1, 15)))
    )
    way = draw(st.integers(0, 2))
    if way == 0:
        return moment.date().isoformat()
    return moment.isoformat() if way == 1 else iso_us(to_us(moment))


@st.composite
def words(draw: Any, base: datetime) -> dict[str, Any]:
    """Some of what may be told of an adverse event."""
    every: dict[str, Any] = {
        "grade": st.sampled_from((3, 5)),
        "serious": st.sampled_from((True, True, True, False)),
        "term": st.sampled_from(("Relapse", "Rash", "Rash")),
        "outcome": st.sampled_from(("recovered", "ongoing")),
        "status": st.sampled_from(("valid", "valid", "withdrawn")),
        "aware_at": wordings(base),
        "reported_at": wordings(base),
        "submitted_at": wordings(base),
    }
    names = draw(st.sets(st.sampled_from(sorted(every)), min_size=1, max_size=4))
    chance = st.integers(0, 14)
    return {name: None if draw(chance) == 0 else draw(every[name]) for name in sorted(names)}


@st.composite
def tellings(draw: Any) -> Told:
    """An adverse event told in some rows, late at times; some corrected or taken back."""
    site, sponsor, start = draw(st.sampled_from(PLACES))
    base = datetime.fromisoformat(start)
    now, log = base + timedelta(hours=draw(st.integers(0, 30))), []
    rows: dict[int, Row] = {}
    gone: set[int] = set()
    gaps = st.sampled_from((0, 1, 5, 20, 24, 60))
    first = {"serious": True} if draw(st.booleans()) else {}
    for n in range(1, draw(st.integers(1, 9)) + 1):
        now += timedelta(hours=draw(gaps), minutes=draw(st.integers(0, 1)))
        if rows and draw(st.integers(0, 6)) == 0:
            of = draw(st.sampled_from(sorted(rows)))
            if draw(st.booleans()):
                fields = draw(words(base))
                log.append(correction(n, to_us(now), of, data={"ae": "1", **fields}))
                rows[of], gone = replace(rows[of], fields=fields), gone - {of}
            else:
                log.append(correction(n, to_us(now), of, entered_in_error=True))
                gone |= {of}
            continue
        spoken = now - timedelta(hours=draw(st.sampled_from((0, 0, 0, 30, 200))))
        fields = draw(words(base)) | (first if n == 1 else {})
        log.append(ae(n, to_us(now), "1", spoken.isoformat(), **fields))
        rows[n] = Row(now, spoken, fields)
    return Told(log, Case([row for n, row in rows.items() if n not in gone], site, sponsor))


# --- what comes out ---------------------------------------------------------------------------
def folded(told: Told, now: datetime, *, singly: bool = False) -> rules.Outcome:
    one, log = engine(told.case.site, told.case.sponsor), told.log
    if not singly:
        return one.subject_steps("t", "S-1", None, log, lambda n: log[:n], to_us(now))
    state = None
    for n in range(1, len(log) + 1):
        state = one.subject_steps("t", "S-1", state, log[n - 1 : n], lambda n: log[:n]).state
    return one.subject_steps("t", "S-1", state, [], lambda n: log[:n], to_us(now))


def stages(outcome: rules.Outcome) -> dict[str, str]:
    """The stage that is open of each clock."""
    found: dict[str, str] = {}
    for result in outcome.results:
        for change in result.changes:
            clock, stage = change.key.split(":")[1], STAGES[int(change.rule.removeprefix("S-"))]
            if change.change in (rules.Change.OPENED, rules.Change.UPDATED):
                found[clock] = stage
            elif found.get(clock) == stage:
                del found[clock]
    return found


def owed(answers: dict[str, Answer]) -> set[tuple[Any, ...]]:
    stopped = {"met", "met_late", "lapsed", "withdrawn", "exempt"}
    return {
        (clock, one.stage, iso_us(to_us(one.start)), one.assumed, iso_us(to_us(one.due)))
        for clock, one in answers.items()
        if one.stage not in stopped
    }


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(tellings(), st.data())
def test_every_clock_stands_where_plain_arithmetic_says(told: Told, data: st.DataObject) -> None:
    last = datetime.fromtimestamp(told.log[-1].received_us // 1_000_000, UTC)
    at_last = {name: told.case.stand(rule, last) for name, rule in CLOCKS.items()}
    turns = [t for one in at_last.values() if one for t in (one.half, one.late, one.over)]
    moments = [turn - early for turn in turns for early in (TICK, timedelta(0)) if turn > last]
    now = data.draw(st.sampled_from([last, last + timedelta(days=40), *sorted(moments)]))
    answers = {
        name: one
        for name, rule in CLOCKS.items()
        if (one := told.case.stand(rule, now)) is not None
    }
    outcome = folded(told, now)
    found = {
        (one["clock"], one["stage"], one["started_at"], one["assumed"], one["due_at"])
        for one in outcome.clocks
    }
    assert found == owed(answers)
    assert stages(outcome) == {name: one.stage for name, one in answers.items()}
    assert folded(told, now, singly=True).state == outcome.state
