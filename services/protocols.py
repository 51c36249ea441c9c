"""The trials' protocols: drafted, checked, activated; compiled once a process and text.

Who comes in: the doors (create, draft, activate), intake and evaluation (the version in force).
Who goes out: rows of versions, and rules.Protocol. A text that does not hold is never stored, so
the last good version stays in force.
"""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

import rules
from services import audit, ids
from services.database import Database, retrying
from services.errors import Conflict, NotFound, Problem, Rejected
from services.repositories import backtests, events, streams, trials
from services.repositories import protocols as stored
from services.repositories.protocols import VersionRow
from services.validation.judging import Checker

_TRIAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MODES = (trials.LIVE, trials.REPLAY)
# Versions that a process keeps compiled; a compiled one is a few MB at most.
_KEPT = 32
# Who is pinned to earlier versions may have changed after so long.
_PINNED_S = 5.0

active = stored.active


class _Compiled:
    """Compiled protocols by the digest of their text, the least used forgotten first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, rules.Protocol] = OrderedDict()
        self._lock = Lock()

    def peek(self, digest: str) -> rules.Protocol | None:
        """The protocol of a text with this digest, if it is at hand."""
        return self._kept.get(digest)

    def get(self, digest: str, text: str) -> rules.Protocol:
        """The protocol of `text`, compiled now if it is not at hand."""
        with self._lock:
            protocol = self._kept.get(digest)
            if protocol is None:
                protocol = self._kept[digest] = rules.loads(text, f"protocol {digest[:12]}")
            self._kept.move_to_end(digest)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return protocol


_compiled = _Compiled()
# What was in force when this process last looked, by trial; the oldest are forgotten first.
_remembered: OrderedDict[str, InForce] = OrderedDict()
_REMEMBERED = 256


@dataclass(frozen=True)
class Outcome:
    """What a change made of a version; `changed` False: it was so already."""

    version: VersionRow
    changed: bool
    dirty: tuple[int, ...] = ()  # streams whose doorbell to ring after this


@dataclass(frozen=True)
class InForce:
    """A trial's mode and the protocol in force; None before the first activation."""

    mode: str
    version: str | None
    digest: str | None
    protocol: rules.Protocol | None
    # Judges what is published: by this version and by those that subjects are still pinned to.
    checker: Checker | None = None
    until_s: float = math.inf  # how long others may take this for true: until somebody re-consents


def remembered(wanted: Collection[str]) -> dict[str, InForce] | None:
    """What `in_force` said of these trials the last time; None unless it knew them all.

    It may be outdated: compare mode and digest with `stored.digests` before acting on it.
    """
    try:
        found = {trial: _remembered[trial] for trial in wanted}
    except KeyError:
        return None
    now_s = time.monotonic()
    return found if all(now_s < one.until_s for one in found.values()) else None


def warm(db: Database) -> None:
    """Have every trial's protocol in force at hand: compiling one takes seconds."""
    with db.reading() as conn:
        wanted = {trial.id for trial in trials.every(conn)}
        in_force(conn, wanted)


def in_force(conn: Connection, wanted: Collection[str]) -> dict[str, InForce]:
    """Each of the trials `wanted` that exists; the text is read only if it is not compiled yet."""
    found: dict[str, InForce] = {}
    for row in stored.digests(conn, wanted):
        protocol = None
        if row.digest is not None:
            protocol = _compiled.peek(row.digest)
            if protocol is None:
                protocol = compiled(_version(conn, row.id, row.active_version))
        found[row.id] = _in_force(conn, row, protocol)
        _remembered[row.id] = found[row.id]
    while len(_remembered) > _REMEMBERED:
        _remembered.popitem(last=False)
    return found


def _in_force(conn: Connection, row: VersionRow, protocol: rules.Protocol | None) -> InForce:
    """What is in force, and the door that goes with it."""
    if protocol is None:
        return InForce(row.mode, row.active_version, row.digest, None)
    needed = stored.still_needed(conn, row.id)
    until_s = time.monotonic() + _PINNED_S if stored.retired(conn, row.id) else math.inf
    checker = _door(protocol, tuple(compiled(one) for one in needed))
    return InForce(row.mode, row.active_version, row.digest, protocol, checker, until_s)


@lru_cache(maxsize=_KEPT)
def _door(protocol: rules.Protocol, pinned: tuple[rules.Protocol, ...]) -> Checker:
    """One door a combination of versions: making one takes milliseconds."""
    return rules.door(protocol, pinned)


def compiled(version: VersionRow) -> rules.Protocol:
    """The protocol of a stored version; the same object for the same text."""
    return _compiled.get(version.digest, version.yaml)


def create_trial(
    db: Database,
    trial: str,
    mode: str,
    yaml: str,
    by: str,
    now_us: int,
    *,
    activate: bool = True,
    banner: str | None = None,
) -> Outcome:
    """A new trial with its first version, in force at once unless `activate` is False.

    The same again changes nothing; another mode or first version under that id is a Conflict.
    Raises Rejected with the protocol's complaints.
    """
    _check_trial(trial, mode)
    protocol = checked(yaml)

    def store() -> Outcome:
        with db.writing() as conn:
            if (row := trials.get(conn, trial)) is not None:
                return _same_trial(conn, row, mode, protocol)
            trials.add(conn, trial, mode=mode, by=by, now_us=now_us, banner=banner)
            streams.add_own(conn, trial)
            made = {"mode": mode}
            audit.append(conn, audit.ADMIN, now_us, by, "trial.created", trial, made)
            _draft(conn, trial, protocol, yaml, by, now_us)
            if activate:
                _put_in_force(conn, trial, protocol.version, now_us, by, now_us)
            return Outcome(_version(conn, trial, protocol.version), changed=True)

    return _beside_others(store)


def add_version(db: Database, trial: str, yaml: str, by: str, now_us: int) -> Outcome:
    """A draft. The same text again changes nothing; another text under its version is a Conflict.

    Raises NotFound for an unknown trial and Rejected with the protocol's complaints.
    """
    protocol = checked(yaml)

    def store() -> Outcome:
        with db.writing() as conn:
            _trial(conn, trial)
            known = stored.get(conn, trial, protocol.version)
            if known is not None:
                return _same_version(known, protocol)
            _draft(conn, trial, protocol, yaml, by, now_us)
            return Outcome(_version(conn, trial, protocol.version), changed=True)

    return _beside_others(store)


def activate(
    db: Database,
    trial: str,
    version: str,
    *,
    approved_by: str | None = None,
    backtest: str | None = None,
    by: str,
    now_us: int,
    effective_from_us: int | None = None,
) -> Outcome:
    """Put a version in force now, or from a later instant on; then it reaches every stream.

    Now is the trial's clock in a replay trial. Activating the version in force changes nothing.
    Who approves it is named once another version is in force; `backtest`, a finished one of this
    very text, once there are subjects too. Raises NotFound, Conflict for a version that was in
    force before, and Rejected for what is missing, does not fit or lies in the past.
    """

    def store() -> Outcome:
        with db.writing() as conn:
            row = _trial(conn, trial)
            known = _version(conn, trial, version)
            at_us = row.clock_us if row.mode == trials.REPLAY else now_us
            since_us = at_us if effective_from_us is None else effective_from_us
            if row.active_version == version:
                return Outcome(known, changed=False)
            if known.status == stored.RETIRED:
                hint = "draft its text again under a version of its own, and activate that"
                raise Conflict(f"the version was in force before and was replaced; {hint}")
            if since_us < at_us:
                hint = "leave it out to put the version in force now"
                raise Rejected([Problem("/effective_from", "lies in the past", hint)])
            later = since_us > at_us
            if problems := _unfit(conn, row, known, approved_by, backtest, later=later):
                raise Rejected(problems)
            approver = (approved_by or "").strip() or by
            detail = {
                "version": version,
                "effective_from_us": since_us,
                "approved_by": approver,
                "drafted_by": known.created_by,
                "backtest": backtest,
            }
            audit.append(conn, audit.ADMIN, now_us, by, "protocol.activated", trial, detail)
            if later:
                stored.schedule(conn, trial, version, since_us, approver)
                return Outcome(_version(conn, trial, version), changed=True)
            dirty = _put_in_force(conn, trial, version, since_us, approver, now_us)
            return Outcome(_version(conn, trial, version), changed=True, dirty=dirty)

    return retrying(store)


def _unfit(
    conn: Connection,
    trial: trials.TrialRow,
    version: VersionRow,
    approved_by: str | None,
    backtest: str | None,
    *,
    later: bool,
) -> list[Problem]:
    """What keeps a version from coming into force; the trial's very first asks for nothing."""
    if trial.active_version is None:
        return []
    problems = []
    if not (approved_by or "").strip():
        hint = "name the person who approved the version"
        problems.append(Problem("/approved_by", "is required", hint))
    populated = streams.has_subjects(conn, trial.id)
    if populated and (why := _no_backtest(conn, version, backtest)) is not None:
        way = f"POST /v1/trials/{trial.id}/protocols/{version.version}/backtest"
        hint = f"{way}, wait until it is finished, look at it, and give its id"
        problems.append(Problem("/backtest", why, hint))
    # Until a later instant subjects may come, and publish what then could not be read.
    others = stored.once_in_force(conn, trial.id) if populated or later else []
    others += [row for row in stored.scheduled(conn, trial.id) if row.version != version.version]
    return problems + _clashes(others, compiled(version))


def _clashes(others: Sequence[VersionRow], new: rules.Protocol) -> list[Problem]:
    """The codes of which `new` could not read what is published under one of the others."""
    hint = "values published so far would have no meaning: give it a code of its own"
    return [
        Problem("/version", f"`{code}` cannot be read as version {row.version} declared it", hint)
        for row in others
        for code in rules.clashes(compiled(row), new)
    ]


def _no_backtest(conn: Connection, version: VersionRow, wanted: str | None) -> str | None:
    """Why this is no finished backtest of exactly this version; None: it is one."""
    if not wanted:
        return "is required: subjects are in the trial"
    row = backtests.get(conn, wanted)
    if row is None or row.trial != version.trial:
        return "is not a backtest of this trial"
    if row.digest != version.digest:
        return f"is a backtest of another text (version {row.version})"
    if row.status != backtests.FINISHED:
        return f"is not finished: it is {row.status}"
    return None


def activate_due(db: Database, now_us: int) -> tuple[int, ...]:
    """Put in force what was activated for an instant that has come; the streams now dirty.

    For the sweep: with nothing scheduled it costs one query.
    """
    with db.reading() as conn:
        waiting = stored.due(conn, now_us)
    dirty: list[int] = []
    for trial, version in waiting:
        dirty += retrying(lambda: _activate_one(db, trial, version, now_us))  # noqa: B023
    return tuple(dirty)


@lru_cache(maxsize=4)  # the demo's trial has the flagship's text: its scenarios are played once
def checked(yaml: str) -> rules.Protocol:
    """The protocol of `yaml`, if it, its scenarios and its generated cases hold; else Rejected."""
    try:
        protocol = rules.loads(yaml, "protocol")
    except rules.ProtocolError as error:
        raise _refused(error.complaints) from None
    if complaints := rules.check(protocol).complaints:
        raise _refused(complaints)
    return protocol


def _beside_others(store: Callable[[], Outcome]) -> Outcome:
    """Once more if somebody stored the same id in between: then it is found."""
    try:
        return retrying(store)
    except IntegrityError:
        return retrying(store)


def _refused(complaints: Sequence[rules.Complaint]) -> Rejected:
    """A protocol's complaints as problems, in the order of the text."""
    found = [Problem("", f"line {one.line}: {one.message}", one.hint) for one in complaints]
    return Rejected(found)


def _check_trial(trial: str, mode: str) -> None:
    """Refuse what cannot be a trial."""
    problems = []
    if not _TRIAL_ID.fullmatch(trial):
        hint = "letters, digits, '.', '_' and '-', up to 64, beginning with a letter or digit"
        problems.append(Problem("/id", "cannot be a trial's id", hint))
    if mode not in _MODES:
        problems.append(Problem("/mode", "unknown mode", f"one of {', '.join(_MODES)}"))
    if problems:
        raise Rejected(problems)


def _same_trial(
    conn: Connection, row: trials.TrialRow, mode: str, protocol: rules.Protocol
) -> Outcome:
    """The trial as it stands, if this is what it was created from."""
    known = stored.get(conn, row.id, protocol.version)
    if row.mode != mode or known is None or known.digest != protocol.digest:
        raise Conflict("a trial of that id exists with another mode or protocol; choose another id")
    return Outcome(known, changed=False)


def _same_version(known: VersionRow, protocol: rules.Protocol) -> Outcome:
    """The version as it stands, if its text is this one."""
    if known.digest != protocol.digest:
        raise Conflict("that version exists with another text; versions never change: raise it")
    return Outcome(known, changed=False)


def _draft(
    conn: Connection, trial: str, protocol: rules.Protocol, yaml: str, by: str, now_us: int
) -> None:
    """Store a draft, and who brought it."""
    stored.add(
        conn, trial, protocol.version, digest=protocol.digest, yaml=yaml, by=by, now_us=now_us
    )
    detail = {"version": protocol.version, "digest": protocol.digest}
    audit.append(conn, audit.ADMIN, now_us, by, "protocol.drafted", trial, detail)


def _activate_one(db: Database, trial: str, version: str, now_us: int) -> tuple[int, ...]:
    """Put one scheduled version in force, unless another sweep has done so."""
    with db.writing() as conn:
        known = stored.get(conn, trial, version)
        if known is None or known.status != stored.SCHEDULED:
            return ()
        since_us = known.effective_from_us
        return _put_in_force(conn, trial, version, since_us, known.approved_by, now_us)


def _put_in_force(
    conn: Connection, trial: str, version: str, since_us: int, approved_by: str, now_us: int
) -> tuple[int, ...]:
    """Make `version` the active one and tell every stream of the trial; those now dirty."""
    every = streams.of_trial(conn, trial)
    own = [row.id for row in every if row.subject == streams.TRIAL_SUBJECT]
    locked = streams.lock(conn, {row.id for row in every} - set(own)) + streams.lock(conn, own)
    row = trials.lock(conn, trial)
    before = row.active_version
    stored.set_active(conn, trial, version, effective_from_us=since_us, approved_by=approved_by)
    if before is None:  # no stream has a state that another version made
        return ()
    data = {"version": version, "before": before, "effective_from_us": since_us}
    for stream in locked:
        event = ids.derived("ev_", trial, "activation", version, since_us, stream.subject)
        own_event = events.OwnEvent(event, rules.EventType.ACTIVATION, since_us, data)
        events.append_own(conn, stream, [own_event], at_us=since_us, now_us=now_us)
    return tuple(stream.id for stream in locked if stream.next_n == stream.done_n)


def _trial(conn: Connection, trial: str) -> trials.TrialRow:
    row = trials.get(conn, trial)
    if row is None:
        raise NotFound("there is no such trial; GET /v1/trials lists them")
    return row


def _version(conn: Connection, trial: str, version: str) -> VersionRow:
    row = stored.get(conn, trial, version)
    if row is None:
        raise NotFound("the trial has no such version; GET .../protocols lists them")
    return row
