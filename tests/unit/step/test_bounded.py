"""What is kept of a subject is bounded by the windows, and an event in order needs no log."""

from __future__ import annotations

import rules
from rules import state as states
from tests.support.step_logs import HEAD, HOUR, START, event
from tests.support.take_logs import CODES, OBSERVED

# Counts and means of all that ever was keep all of it.
UNBOUNDED = ("hot_ever", "mean_all")
EVENTS = 2000


def engine():
    head, criteria = HEAD.split("criteria:")
    facts = {name: spec for name, spec in OBSERVED.items() if name not in UNBOUNDED}
    lines = "\n".join(f"  {name}: {spec}" for name, spec in facts.items())
    head = head.replace("\nfacts:\n", "\n" + CODES.strip("\n") + f"\nfacts:\n{lines}\n")
    told = "".join(
        f"  - {{id: R-{name.upper().replace('_', '-')}, on: subject, category: safety, severity: info,"
        f" when: '!has(facts.{name}) && dead', title: T, detail: d, action: Look., source: {{document: doc}}}}\n"
        for name in facts
        if not name.endswith("_why")
    )
    return rules.Engine(
        rules.loads(f"{head}criteria:{criteria.rstrip()}\nrules:\n{told}", "b.yaml")
    )


def history():
    """Three months: a temperature and an ALT every hour or so, screened, enrolled, infused often."""
    log = [
        event(1, "enrolment", START, status="screened"),
        event(2, "consent", START, document="informed_consent", given_by="subject", status="given"),
    ]
    for n in range(3, EVENTS + 1):
        at = START + n * HOUR
        if n == 100:
            log.append(event(n, "enrolment", at, status="enrolled"))
        elif n % 200 == 0:
            number = n // 200
            log.append(
                event(
                    n,
                    "administration",
                    at,
                    product="P",
                    number=number,
                    dose=2,
                    unit="mg",
                    status="completed",
                )
            )
        elif n % 5 == 0:
            log.append(
                event(
                    n,
                    "observation",
                    at,
                    code="alt",
                    value=20 + n % 150,
                    unit="U/L",
                    reference_high=40,
                )
            )
        else:
            log.append(event(n, "observation", at, code="temp", value=36 + n % 30 / 10, unit="Cel"))
    return log


def test_two_thousand_events_in_order_need_no_log_and_leave_a_small_state():
    made, log = engine(), history()
    asked = []

    def whole(n):
        asked.append(n)
        return log[:n]

    state, sizes = None, []
    for n in range(1, EVENTS + 1, 50):
        outcome = made.subject_steps("t", "S", state, log[n - 1 : n + 49], whole)
        state = outcome.state
        sizes.append(sum(len(records) for records in states.loads(state).records.values()))
    assert asked == []
    # A week of hours of the longest moving window, what the anchored windows hold, and five weeks
    # of liver values.
    assert max(sizes) < 900, sizes
    assert sizes[-1] < sizes[len(sizes) // 2] * 1.2, sizes


def test_a_hundred_years_of_silence_make_few_steps():
    made, log = engine(), history()[:300]
    end = log[-1].received_us + 100 * 365 * 24 * HOUR
    outcome = made.subject_steps("t", "S", None, log, lambda n: log[:n], end)
    due = [one for one in outcome.results if one.due_us > log[-1].received_us]
    # Records leave windows one by one within a month; nothing is left that a day could change.
    assert len(due) < 200, len(due)
    assert outcome.next_due_us is None
