"""An envelope judged by its trial's protocol, the clock and the publisher's role.

Who comes in: intake. Who goes out: Incoming, ready to be numbered, or problems. A correction is
judged twice: its own shape here, and against its target once intake has looked that up.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from rules import EventType
from services import ids
from services.clock import SECOND_US
from services.validation.envelope import Envelope, Found, canonical_json, parse_time

AHEAD_US = 5 * 60 * SECOND_US
_AHEAD = (
    "lies more than 5 minutes ahead of its receipt",
    "send it when it has happened; check the sender's clock and offset",
)
CLINICAL_ROLES = frozenset({"clinician", "admin"})
# A clinician decides; what was measured or done comes from the systems that know it.
CLINICIANS_TYPES = frozenset({EventType.OVERRIDE, EventType.CORRECTION})


class Checker(Protocol):
    """What the protocol says about data; rules' EventChecker is one."""

    def check(
        self, kind: str, data: Any, time_us: int, source: str = ""
    ) -> tuple[dict[str, Any], list[Found]]:
        """(canonical data, problems with pointers within the event)."""

    def undeclared(self, kind: str, data: Any) -> list[tuple[str, str]]:
        """(system, code) of what refused data name and the protocol does not declare."""

    def begins(self, time_us: int, precision: str) -> bool:
        """Whether a span of that precision begins at the instant, in the site's zone."""


class Door(NamedTuple):
    """One trial as intake sees it during one request."""

    is_replay: bool
    checker: Checker
    judged_by: tuple[str, str | None]  # the trial's mode and the protocol's digest


class Incoming(NamedTuple):
    """One event that may be stored; `data` is canonical JSON, `event` the server's id.

    `place`: its index in the request. `receipt_us`: in a replay trial the publisher's own time of
    receipt, else the clock's.
    """

    place: int
    event: str
    trial: str
    source: str
    id: str
    type: str
    subject: str
    time_us: int
    timeprecision: str
    recorded_us: int | None
    receipt_us: int
    content: str
    data: str
    corrects: Correction | None = None


class Correction(NamedTuple):
    """What a correction says, until its target is known."""

    target: str  # server id
    data: dict[str, Any]  # the correction's own, canonical


class Target(NamedTuple):
    """What must be known of the event that a correction corrects."""

    type: str
    subject: str
    time_us: int


def judge(
    index: int, envelope: Envelope, door: Door, role: str, now_us: int
) -> tuple[Incoming | None, list[Found]]:
    """The event as it may be stored, or every problem with it."""
    data, problems = door.checker.check(
        envelope.type, envelope.data, envelope.time_us, envelope.source
    )
    found = list(problems)
    receipt_us = now_us
    if door.is_replay:
        receipt_us = envelope.time_us if envelope.recorded_us is None else envelope.recorded_us
    if envelope.time_us > receipt_us + AHEAD_US:
        found.append(("/time", *_AHEAD))
    if not door.checker.begins(envelope.time_us, envelope.timeprecision):
        what = f"begins no {envelope.timeprecision} in the site's time zone"
        hint = "send the span's first instant there, or leave timeprecision out"
        found.append(("/time", what, hint))
    correction = None
    if role not in CLINICAL_ROLES and envelope.type == EventType.OVERRIDE:
        found.append(("/type", "is not for this key", "an override needs a clinician's key"))
    if envelope.type == EventType.CORRECTION and not found:
        correction = Correction(_target(envelope.trial, data), data)
        if _corrected_time(data) > receipt_us + AHEAD_US:
            found.append(("/data/time", *_AHEAD))
        if data["corrects"] == {"source": envelope.source, "id": envelope.id}:
            found.append(("/data/corrects", "names the correction itself", "name another event"))
        if data["corrects"]["source"] != envelope.source and role not in CLINICAL_ROLES:
            hint = "send it from the source that sent the first event, or with a clinician's key"
            found.append(("/data/corrects/source", "is not the correction's own source", hint))
    if found:
        return None, found
    text = canonical_json(data)
    content = ids.content_hash(envelope.type, envelope.subject, envelope.time_us, text)
    event = ids.event_id(envelope.trial, envelope.source, envelope.id)
    return _incoming(index, event, envelope, receipt_us, content, text, correction), found


def judge_correction(
    incoming: Incoming, target: Target | None, checker: Checker, role: str
) -> tuple[Incoming, list[Found]]:
    """The correction with data canonical for its target, or problems; unknown targets wait."""
    assert incoming.corrects is not None
    own = incoming.corrects.data
    if target is None:
        return incoming, []
    if (why := _not_correctable(incoming, target, role)) is not None:
        return incoming, [("/data/corrects", *why)]
    if "data" not in own:
        return incoming, []
    data, found = checker.check(target.type, own["data"], target.time_us, incoming.source)
    if found:
        return incoming, [(f"/data{pointer}", detail, hint) for pointer, detail, hint in found]
    return incoming._replace(data=canonical_json({**own, "data": data})), []


def _not_correctable(incoming: Incoming, target: Target, role: str) -> tuple[str, str] | None:
    """Why this target cannot be corrected by this event, and how to mend it."""
    if target.subject != incoming.subject:
        hint = "send the correction for the subject of the first event"
        return "names an event of another subject", hint
    if target.type == EventType.CORRECTION and incoming.corrects is not None:
        if incoming.corrects.data.get("entered_in_error") is True:
            return None  # that undoes it
        return "names a correction", "correct the first event again: the last correction counts"
    if target.type == EventType.OVERRIDE and role not in CLINICAL_ROLES:
        return "names an override", "an override is corrected with a clinician's key"
    return None


def _target(trial: str, data: dict[str, Any]) -> str:
    """The server's id of the event that a checked correction names."""
    corrects = data["corrects"]
    return ids.event_id(trial, corrects["source"], corrects["id"])


def _corrected_time(data: dict[str, Any]) -> int:
    """The time that a checked correction gives its target; 0 if it leaves it."""
    time = data.get("time")
    read = parse_time(time) if isinstance(time, str) else time
    return read if isinstance(read, int) else 0


def _incoming(
    index: int,
    event: str,
    envelope: Envelope,
    receipt_us: int,
    content: str,
    data: str,
    correction: Correction | None,
) -> Incoming:
    return Incoming(
        index,
        event,
        envelope.trial,
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.subject,
        envelope.time_us,
        envelope.timeprecision,
        envelope.recorded_us,
        receipt_us,
        content,
        data,
        correction,
    )
