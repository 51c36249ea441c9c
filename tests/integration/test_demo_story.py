"""The demo's story through the real corridor: every alert that it promises comes, and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from sqlalchemy import select

from services import clock, holding, intake, models, responses
from services.database import Database
from services.demo.__main__ import numbered
from services.demo.everyday import EVERY, everyday
from services.demo.scenes import Answer, Resumption, Scene
from services.demo.story import CHILD, MIXED_UP, WAIVED, Evening, story
from services.demo.teller import Writer
from services.reading import stopping, trials
from services.receiver import COLUMNS
from services.replay import verify
from services.repositories import steps
from tests.support import flagship
from tests.support.trials import Someone

# An evening in Seoul, when the site is closed.
NOW = datetime(2026, 3, 20, 12, 40, 7, tzinfo=UTC)
PACE = timedelta(seconds=6)

RECRUITMENT = [
    ["opened EL-NEEDS-DATA 01"],
    ["opened EL-INELIGIBLE 02"],
    ["opened EL-ELIGIBLE 01", "resolved EL-NEEDS-DATA 01", "updated EL-NEEDS-DATA 01"],
    ["opened EL-ELIGIBLE 02", "superseded EL-INELIGIBLE 02"],
    ["opened EL-NEEDS-DATA 03"],
    ["opened EL-ELIGIBLE 03", "resolved EL-NEEDS-DATA 03"],
    ["opened EL-INELIGIBLE 04"],
    ["opened EL-ELIGIBLE 04", "resolved EL-INELIGIBLE 04"],
]
TREATED = ("02", "03", "04")
ELSEWHERE = ("05", "06")


def missed(kind: str, *who: str) -> list[str]:
    """Of each, that an infusion looks missed, or does so no longer."""
    return [f"{kind} INF-MISSED {each}" for each in who]


FEVER = [
    ["opened S-FEVER 02"],
    ["opened INF-GATE-NOT-OPEN 02", "opened S-INFUSED-FEVER 02", "updated S-FEVER 02"],
    ["acknowledged S-INFUSED-FEVER 02"],
]
FIRST_EVENING = [
    *RECRUITMENT,
    # Nobody has told of their infusions yet.
    [
        *missed("opened", "01", *TREATED),
        *(f"resolved EL-ELIGIBLE {who}" for who in ("01", *TREATED)),
    ],
    missed("superseded", "01"),
    # Organ after organ: until the last is told the response cannot be.
    [
        *("opened R-NOT-EVALUABLE 01", "opened R-RESPONSE 01"),
        *("resolved R-NOT-EVALUABLE 01", "updated R-NOT-EVALUABLE 01"),
    ],
    missed("superseded", *TREATED),
    [*missed("opened", *ELSEWHERE), *missed("superseded", *ELSEWHERE)],
    *FEVER,
    [
        *("opened CL-DUE 04", "opened P-REACTION-LATE 04"),
        *("opened S-INFECTION-G3 04", "opened S-RELATED-G3 04"),
        *("opened S-SAE 04", "opened S-SUSAR 04"),
    ],
    ["resolved S-FEVER 02"],
    [
        *("opened L-GRADE 05", "opened P-REACTION-LATE 05"),
        *("opened S-RELATED-G3 05", "opened ST-TOX-NEAR trial"),
    ],
    [
        *("resolved L-GRADE 05", "resolved P-REACTION-LATE 05"),
        *("resolved S-RELATED-G3 05", "resolved ST-TOX-NEAR trial"),
    ],
    [
        *("opened CL-DUE 02", "opened P-REACTION-ACUTE 02", "opened S-INFECTION-G3 02"),
        *("opened S-RELATED-G3 02", "opened S-SAE 02"),
        *("opened S-SUSAR 02", "opened ST-TOX-NEAR trial"),
    ],
    [
        *["opened CL-DUE 06"] * 2,
        *("opened P-REACTION-ACUTE 06", "opened PAUSE-RELATED-G4 06", "opened PAUSE-TERM 06"),
        *("opened S-RELATED-G3 06", "opened S-SAE 06", "opened S-SUSAR 06"),
        *("opened ST-TOX-CROSSED trial", "resolved ST-TOX-NEAR trial"),
    ],
    ["opened EL-ENROLLED-NOT-ELIGIBLE 07", "opened TR-ENROLLED-DURING-HOLD trial"],
    ["opened INF-NOT-DONE 05"],
    ["acknowledged ST-TOX-CROSSED trial"],
    ["opened CL-DUE 04", "resolved S-SAE 04"],  # its outcome is news to the authority
]
SECOND_EVENING = [
    ["resolved ST-TOX-CROSSED trial"],
    *RECRUITMENT,
    [
        "opened ACC-TARGET trial",
        *missed("opened", *TREATED),
        *(f"resolved EL-ELIGIBLE {who}" for who in TREATED),
    ],
    # It is closed, and counts those who are pending.
    [*missed("superseded", *TREATED), *["updated ST-TOX-CROSSED trial"] * 3],
    FEVER[0],
    [*FEVER[1][:2], "opened TR-INFUSED-DURING-HOLD trial", *FEVER[1][2:]],  # before it was resumed
    FEVER[2],
    ["opened S-INFECTION-G3 04", "opened S-SAE 04"],
    ["resolved S-FEVER 02"],
    ["resolved S-SAE 04"],
]


class Stage:
    """The trial in a store, where scenes are played as the demo's process plays them."""

    def __init__(self, db: Database, evening: Evening, begin: datetime = NOW) -> None:
        self.db, self.evening, self.now = db, evening, begin
        self.writer = Writer(flagship.TRIAL, evening)
        self.heard = {(row.alert, row.change) for row in flagship.rows(db, models.alert_log)}

    def play(self, scenes: Sequence[Scene]) -> list[list[str]]:
        """What was said of alerts after each scene."""
        return [self.scene(scene) for scene in scenes]

    def scene(self, scene: Scene) -> list[str]:
        self.let_time_pass()
        for fact in scene.facts:
            event = self.writer.event(fact, self.now)
            intake.publish(self.db, [event], Someone(role=fact.role), self.now_us)
        self.let_time_pass()
        for deed in scene.deeds:
            self.do(deed)
        self.now += PACE + timedelta(milliseconds=20)
        return self.said()

    @property
    def now_us(self) -> int:
        return clock.to_us(self.now)

    def let_time_pass(self) -> None:
        """What the sweep does."""
        with self.db.reading() as conn:
            due = steps.overdue(conn, stored_before_us=self.now_us, now_us=self.now_us, limit=500)
        if due:
            flagship.evaluate(self.db, due, self.now_us)

    def do(self, deed: Answer | Resumption) -> None:
        if isinstance(deed, Resumption):
            done = holding.resume(self.db, flagship.TRIAL, deed.role, deed.reason, self.now_us)
            flagship.evaluate(self.db, list(done.dirty), self.now_us)
            return
        who = None if deed.who is None else self.evening.name(deed.who)
        table = models.alerts.c
        where = (table.rule == deed.rule, table.subject == who, table.status != "resolved")
        (alert,) = flagship.rows(self.db, models.alerts, *where)
        responses.respond(
            self.db,
            flagship.SILENT,
            alert.id,
            responses.Action(deed.verb),
            by="clinician",
            note=deed.note,
            now_us=self.now_us,
        )

    def said(self) -> list[str]:
        log, alerts = models.alert_log, models.alerts
        both = log.join(alerts, alerts.c.id == log.c.alert)
        query = select(alerts.c.id, log.c.change, log.c.kind, alerts.c.rule, alerts.c.subject)
        with self.db.reading() as conn:
            rows = list(conn.execute(query.select_from(both)))
        new = [row for row in rows if (row.id, row.change) not in self.heard]
        self.heard |= {(row.id, row.change) for row in new}
        return sorted(
            f"{row.kind} {row.rule} {row.subject.partition('-')[2] if row.subject else 'trial'}"
            for row in new
        )


@pytest.fixture
def db(sqlite_url):
    db = Database(sqlite_url)
    flagship.make(db)
    yield db
    db.dispose()


def evening_after(db: Database, number: int) -> Evening:
    """What a new evening finds, as the teller asks the service."""
    with db.reading() as conn:
        trial, found = trials.one(conn, flagship.TRIAL, 0), stopping.of_trial(conn, flagship.TRIAL)
    assert trial is not None
    assert found is not None
    (table,), counted = found["items"], trial["enrolment"]
    full = counted["enrolled"] >= counted["target"]
    held = trial["status"] == "suspended"
    return Evening(number, held, table["crossed"], table["evaluable"], full=full)


def test_two_evenings_raise_exactly_what_they_promise(db):
    first = Evening()
    scenes = list(story(first, PACE))
    assert paired(scenes, Stage(db, first).play(scenes)) == paired(scenes, FIRST_EVENING)
    (trial,) = flagship.rows(db, models.trials)
    assert orjson.loads(trial.hold)["by"] == "ST-TOX"
    assert_details_leave_no_gap(db)

    second = evening_after(db, 2)
    assert second == Evening(2, suspended=True, crossed=True, evaluable=4)
    scenes = list(story(second, PACE))
    later = NOW + timedelta(days=1, hours=11)  # in the morning, the site is open
    assert paired(scenes, Stage(db, second, later).play(scenes)) == paired(scenes, SECOND_EVENING)
    (trial,) = flagship.rows(db, models.trials)
    # The target is reached: nobody more is enrolled before two persons say so.
    assert (trial.status, orjson.loads(trial.hold)["by"]) == ("suspended", "ACC-TARGET")
    assert verify(db, flagship.TRIAL).differences == []

    third = evening_after(db, 3)
    assert third.full
    scenes = list(story(third, PACE))
    assert paired(scenes, Stage(db, third, later + timedelta(hours=1)).play(scenes)) == paired(
        scenes, [*RECRUITMENT, []]
    )
    assert evening_after(db, 4) == replace(
        third, number=4
    )  # nobody was enrolled, nothing held anew


def assert_details_leave_no_gap(db: Database) -> None:
    details = {row.rule: row.detail for row in flagship.rows(db, models.alerts)}
    assert details["EL-ENROLLED-NOT-ELIGIBLE"] == (
        "At the time of enrolment the decision was indeterminate. "
        "Not satisfied: none. Missing: ECOG performance status."
    )
    assert [text for text in details.values() if ": ." in text] == []


def paired(scenes: Sequence[Scene], said: Sequence[list[str]]) -> list[tuple[str, list[str]]]:
    return [(scene.text, each) for scene, each in zip(scenes, said, strict=True)]


@pytest.mark.parametrize("until", range(1, 26, 4))
def test_an_evening_that_was_broken_off_keeps_no_later_one_from_reaching_the_table(db, until):
    first = Evening()
    Stage(db, first).play(list(story(first, PACE))[:until])
    second = evening_after(db, 2)
    said = Stage(db, second, NOW + timedelta(hours=1)).play(list(story(second, PACE)))
    (trial,) = flagship.rows(db, models.trials)
    assert second.crossed or "opened ST-TOX-CROSSED trial" in [each for one in said for each in one]
    assert ('"ST-TOX"' in (trial.hold or "")) is not second.crossed


def test_the_text_of_a_scene_fits_the_line_that_it_is_printed_on():
    evenings = (Evening(), Evening(12, suspended=True, crossed=True), Evening(12, full=True))
    for evening in evenings:
        scenes = numbered(list(story(evening, PACE)))
        assert [scene.text for scene in scenes if len(f"-- {scene.text}") > COLUMNS] == []


def test_everyday_life_brings_a_candidate_now_and_then_and_else_nothing(db):
    evening = Evening()
    stage = Stage(db, evening)
    stage.play(list(story(evening, PACE)))
    scenes = everyday(evening, (MIXED_UP, CHILD, WAIVED))
    days = [next(scenes) for _ in range(2 * EVERY)]
    said = [each for one in stage.play(days) for each in one]
    assert said == [
        text.format(who)
        for who in (11, 12)
        for text in (
            "opened EL-NEEDS-DATA {}",
            "opened EL-ELIGIBLE {}",
            "resolved EL-NEEDS-DATA {}",
            "resolved EL-ELIGIBLE {}",
        )
    ]


def test_a_story_is_the_same_at_every_telling_but_for_its_times(db):
    one, other = (written(begin) for begin in (NOW, NOW + timedelta(days=40, hours=7)))
    assert one != other
    assert [timeless(event) for event in one] == [timeless(event) for event in other]


def written(begin: datetime, evening: Evening | None = None) -> list[dict]:
    evening = evening or Evening()
    writer = Writer("any", evening)
    return [
        writer.event(fact, begin + number * PACE)
        for number, scene in enumerate(story(evening, PACE))
        for fact in scene.facts
    ]


TIMES = frozenset(
    {"time", "start", "end", "onset", "resolved", "aware_at", "reported_at", "birth_date"}
)


def timeless(event: dict) -> dict:
    data = {name: value for name, value in event["data"].items() if name not in TIMES}
    return {**{name: event[name] for name in event.keys() - TIMES}, "data": data}


@pytest.mark.parametrize("hour", range(24))
def test_at_every_hour_of_the_day_nothing_lies_ahead_and_spans_are_in_order(hour):
    begin, writer = NOW.replace(hour=hour, minute=hour * 2 + 1), Writer("any", Evening())
    for number, scene in enumerate(story(Evening(), PACE)):
        now = begin + number * PACE
        for fact in scene.facts:
            event = writer.event(fact, now)
            moments = [event["time"], *(event["data"].get(name) for name in TIMES)]
            instants = [datetime.fromisoformat(one) for one in moments if one and "T" in one]
            assert max(instants) <= now, event
            span = [event["data"].get(name) for name in ("start", "end")]
            assert None in span or span == sorted(span), event
