"""What the bounded lists drop, and what they refuse to answer once it is gone."""

from __future__ import annotations

import pytest

from rules.errors import LogNeeded
from rules.facts.entities import MOST_PARTS, collapse, merge, put
from rules.facts.timeline import KEEP, PRUNE_EVERY, Timeline
from rules.facts.touches import drop_settled, reach, touches
from tests.support.step_logs import engine

SOURCES = engine().plan.reader.sources
PRUNER = engine().plan.pruner
DAY = 86_400_000_000


def value(n, of=37.0):
    return [n * DAY, n * DAY, n, of, f"ev{n}"]


def lasting(n, status, begin=None, end=None):
    begins = [None, None] if begin is None else [begin * DAY, begin * DAY]
    ends = [None, None] if end is None else [end * DAY, end * DAY]
    truth = {"active": True, "resolved": False, "absent": False}.get(status)
    return [n * DAY, n * DAY, n, truth, f"ev{n}", status, None, *begins, *ends]


def pruned(key, records):
    timeline = Timeline({}, {})
    for record in records:
        timeline.insert(SOURCES[key], record)
    PRUNER.prune(timeline, key, drop_settled, 0, force=True)
    return timeline


def test_a_record_older_than_what_was_dropped_asks_for_the_log():
    timeline = pruned("assessment:ecog", [value(n) for n in range(1, PRUNE_EVERY + 1)])
    assert len(timeline.records["assessment:ecog"]) == KEEP
    with pytest.raises(LogNeeded):
        timeline.insert(SOURCES["assessment:ecog"], value(2))
    with pytest.raises(LogNeeded):
        timeline.complete("assessment:ecog", 3 * DAY)
    assert timeline.complete("assessment:ecog", PRUNE_EVERY * DAY)


def test_the_greatest_and_least_of_a_window_are_never_dropped():
    hours = [[n * DAY // 24, n * DAY // 24, n, 37.0, f"ev{n}"] for n in range(1, 41)]
    hours[20][3], hours[21][3] = 40.0, 35.0
    held = pruned("observation:temp", hours).records["observation:temp"]
    assert len(held) < len(hours)
    assert {40.0, 35.0} <= {record[3] for record in held}


MANY = PRUNE_EVERY


@pytest.mark.parametrize(
    "oldest",
    [
        lasting(1, "resolved"),  # undated: unknown for ever
        lasting(1, "active", begin=0, end=MANY + 50),  # lasts longer than all that follow
    ],
)
def test_what_later_records_do_not_cover_is_not_dropped(oldest):
    later = [lasting(n, "active", begin=n, end=n) for n in range(2, MANY + 1)]
    records = [oldest, *later]
    assert drop_settled(records, KEEP) is None
    assert len(records) == MANY


def test_what_later_records_cover_is_dropped():
    records = [lasting(n, "active", begin=n, end=n) for n in range(1, MANY + 1)]
    assert drop_settled(records, KEEP) is not None
    assert len(records) == KEEP


def test_what_has_not_surely_begun_yet_covers_nothing():
    records = [lasting(n, "active") for n in range(1, MANY + 1)]
    for record in records[-KEEP:]:  # dated by the day alone: over the day its beginning is not sure
        record[0], record[1] = 50 * DAY, 51 * DAY - 1
    assert drop_settled(records, KEEP, now_us=50 * DAY + 1) is None
    assert len(records) == MANY
    assert drop_settled(records, KEEP, now_us=51 * DAY) is not None


def test_what_has_no_end_yet_covers_nothing_that_may_outlast_it():
    ended = lasting(1, "active", begin=1, end=10)
    records = [ended, *(lasting(n, "active", begin=3) for n in range(11, MANY + 11))]
    assert drop_settled(records, KEEP) is None  # it may be told to have ended on day 4
    assert records[0] is ended


def test_a_resolution_is_never_parted_from_what_it_resolves():
    records = [
        lasting(n, "active", begin=n) if n % 2 else lasting(n, "resolved", end=n)
        for n in range(1, MANY + 2)
    ]
    assert drop_settled(records, KEEP) is not None
    assert records[0][5] == "active"
    assert all(touch.sure for touch in touches(records, point=False))


def test_a_resolution_reaches_back_to_what_it_ends():
    records = [lasting(1, "active"), lasting(2, "active"), lasting(9, "resolved")]
    assert reach(records, records[2]) == DAY
    assert reach(records, records[1]) == 2 * DAY
    assert reach(records, records[2], dropped=True) < 0
    assert reach(records, records[1], dropped=True) == 2 * DAY
    ended = [lasting(0, "resolved"), *records]
    assert reach(ended, ended[3], dropped=True) == DAY


def part(n, **fields):
    return [n, n, n, f"ev{n}", fields]


def test_a_collapsed_entity_says_the_same_and_refuses_older_parts():
    parts = [part(n, grade=n, **{f"f{n}": n}) for n in range(1, MOST_PARTS + 5)]
    whole = merge(list(parts))
    collapse(parts)
    assert len(parts) == MOST_PARTS
    merged = merge(parts)
    assert (dict(merged.values), dict(merged.origins), merged.first) == (
        dict(whole.values),
        {name: tuple(origin) for name, origin in whole.origins.items()},
        whole.first,
    )
    with pytest.raises(LogNeeded):
        put(parts, part(2, grade=9))
