"""Whatever is published, however it is cut and however often: it is stored once, and whole."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import intake
from services.database import Database
from services.errors import Malformed
from services.repositories import events, streams
from services.validation import read_events
from tests.support.trials import NOW_US, PUBLISHER, event, make_trial, temperature

_trials = itertools.count(1)
COMMON = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

one_event = st.builds(
    lambda own, subject, tenths: event(
        id=f"e-{own}", subject=f"S-{subject}", data=temperature(36 + tenths / 10)
    ),
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(0, 30),
)
batches = st.lists(one_event, max_size=20, unique_by=lambda one: one["id"])


def fresh_trial(db: Database, mode: str = "live") -> str:
    return make_trial(db, f"t-{next(_trials)}", mode)


def publish(db: Database, trial: str, batch: list[Any], **more: Any) -> intake.Receipt:
    sent = [{**one, "trial": trial} for one in batch]
    return intake.publish(db, sent, PUBLISHER, NOW_US, **more)


def contents(db: Database, trial: str) -> dict[str, list[tuple[Any, ...]]]:
    """What is stored, by subject and in order, without what depends on the trial's own name."""
    found = {}
    with db.reading() as conn:
        for stream in streams.of_trial(conn, trial):
            rows = events.rows_of(conn, stream.id)[::-1]
            assert [row.n for row in rows] == list(range(1, stream.next_n + 1))
            found[stream.subject] = [(row.n, row.id, row.content, row.data) for row in rows]
    return found


@COMMON
@given(batch=batches)
def test_the_same_batch_twice_is_stored_once(database: Database, batch: list[Any]) -> None:
    trial = fresh_trial(database)
    assert publish(database, trial, batch).accepted == len(batch)
    before = contents(database, trial)
    again = publish(database, trial, batch)
    assert (again.accepted, again.duplicates) == (0, len(batch))
    assert again.dirty == ()
    assert contents(database, trial) == before


@COMMON
@given(batch=batches, cuts=st.lists(st.integers(0, 20), max_size=4))
def test_however_a_batch_is_cut_the_log_is_the_same(
    database: Database, batch: list[Any], cuts: list[int]
) -> None:
    whole, cut = fresh_trial(database), fresh_trial(database)
    publish(database, whole, batch)
    edges = [0, *sorted(cuts), len(batch)]
    for start, end in itertools.pairwise(edges):
        publish(database, cut, batch[start:end])
    assert contents(database, cut) == contents(database, whole)


@COMMON
@given(batch=batches, data=st.data())
def test_duplicates_anywhere_change_nothing(
    database: Database, batch: list[Any], data: st.DataObject
) -> None:
    plain, doubled = fresh_trial(database), fresh_trial(database)
    publish(database, plain, batch)
    again = data.draw(st.lists(st.sampled_from(batch), max_size=8)) if batch else []
    publish(database, doubled, [*batch, *again])
    assert contents(database, doubled) == contents(database, plain)


@COMMON
@given(batch=batches, minutes=st.lists(st.integers(0, 500), min_size=20, max_size=20))
def test_receipts_in_a_replay_trial_never_go_back(
    database: Database, batch: list[Any], minutes: list[int]
) -> None:
    trial = fresh_trial(database, "replay")
    stamped = [
        {**one, "recordedtime": f"2026-03-03T{minute // 60:02}:{minute % 60:02}:00Z"}
        for one, minute in zip(batch, minutes, strict=False)
    ]
    receipt = publish(database, trial, stamped)
    late = {item.id for item in receipt.items if item.late}
    with database.reading() as conn:
        for stream in streams.of_trial(conn, trial):
            rows = events.rows_of(conn, stream.id)[::-1]
            received = [row.received_us for row in rows]
            assert received == sorted(received)
            assert all((row.received_us > row.recorded_us) == (row.id in late) for row in rows)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    value=st.dictionaries(st.text(max_size=5), json_values, max_size=4),
    indent=st.sampled_from([None, 1]),
)
def test_any_json_is_read_as_it_was_written(value: dict[str, Any], indent: int | None) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "replace")
    assert read_events(raw, "application/json", {}) == [json.loads(raw)]


@settings(max_examples=300, deadline=None)
@given(pairs=st.lists(st.tuples(st.text(max_size=2), json_values), max_size=6), loose=st.booleans())
def test_a_key_twice_is_found_and_nothing_else_is(
    pairs: list[tuple[str, Any]], loose: bool
) -> None:
    colon = " : " if loose else ":"
    raw = (
        "{" + ",".join(f"{json.dumps(key)}{colon}{json.dumps(value)}" for key, value in pairs) + "}"
    )
    twice = len({key for key, _ in pairs}) != len(pairs)
    try:
        read_events(raw.encode(), "application/json", {})
    except Malformed as error:
        surrogate = "strict" in str(error)
        assert twice or surrogate
    else:
        assert not twice
