"""One stream under the versions that were in force, and as if another had been: what differs.

Who comes in: the batch. Who goes out: plain dicts, the same for the same log and text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import Connection

import rules
from services import protocols, replay
from services.clock import iso
from services.database import Database
from services.evaluation import contributing
from services.evaluation.thinking import ENGINES
from services.replay import Rebuilt
from services.repositories import protocols as versions
from services.repositories import streams
from services.repositories.alerts import AlertRow
from services.repositories.streams import StreamRow

Json = dict[str, Any]
# It is about the amendment itself: had the version been in force throughout, there were none.
_NOT_COMPARED = frozenset({"CO-RECONSENT-OVERDUE"})
_KEPT = 2


class Engines:
    """The engines of proposed versions in this process, by their text's digest."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._kept: OrderedDict[str, rules.Engine] = OrderedDict()

    def get(self, protocol: rules.Protocol) -> rules.Engine:
        """The engine of this text; hold the lock."""
        engine = self._kept.get(protocol.digest)
        if engine is None:
            engine = self._kept[protocol.digest] = rules.Engine(protocol)
            while len(self._kept) > _KEPT:
                _, gone = self._kept.popitem(last=False)
                gone.close()
        self._kept.move_to_end(protocol.digest)
        return engine


_PROPOSED = Engines()


class Comparison:
    """A proposed version against those that were in force in one trial."""

    def __init__(self, db: Database, trial: str, proposed: rules.Protocol) -> None:
        """Nothing is read before a stream is compared."""
        self.db, self.trial, self.proposed = db, trial, proposed
        self._causes: dict[str, Mapping[str, list[Json]]] = {}

    def subject(self, conn: Connection, stream: StreamRow, upto: int, reached_us: int) -> Json:
        """One subject: decision, criteria and alerts that differ; and what it would count for."""
        with _PROPOSED.lock:
            try:
                before, log = replay.fold(self.db, conn, stream, upto, reached_us)
                engine = _PROPOSED.get(self.proposed)
                after = replay.suppose(engine, stream, log, reached_us)
            except rules.RuleError as error:  # its class alone: no text of a log leaves here
                return {"subject": stream.subject, "error": type(error).__name__}
            found = self._compare(conn, before, after)
            found["decision"] = self._decision(conn, before, after, engine)
        counted = [
            contributing.made(self.trial, stream.subject, result, one)
            for result in after.results
            for one in result.contributions
        ]
        return {"subject": stream.subject, **found, "counted": [list(one) for one in counted]}

    def whole(self, conn: Connection, upto: int, reached_us: int, counted: Sequence[Any]) -> Json:
        """The trial's own stream: what all subjects would have counted for, in order of time."""
        stream = streams.find(conn, self.trial, streams.TRIAL_SUBJECT)
        assert stream is not None
        made = [_event(contributing.Made(*one)) for one in counted]
        with _PROPOSED.lock:
            try:
                before, own = replay.fold(self.db, conn, stream, upto, reached_us)
                log = _in_order([*made, *_decisions(own)])
                after = replay.suppose(_PROPOSED.get(self.proposed), stream, log, reached_us)
            except rules.RuleError as error:
                return {"subject": None, "error": type(error).__name__}
            return {"subject": None, "decision": None, **self._compare(conn, before, after)}

    # --- alerts -------------------------------------------------------------------------------
    def _compare(self, conn: Connection, before: Rebuilt, after: Rebuilt) -> Json:
        old = _counting(before.alerts)
        new = _counting(after.alerts)
        fired = [row for name, row in new.items() if name not in old]
        gone = [row for name, row in old.items() if name not in new]
        pairs, fired, gone = _paired(fired, gone)
        pairs += [(row, new[name]) for name, row in old.items() if name in new]
        changed = [
            self._alert(conn, row, {"changes": differs})
            for one, row in pairs
            if (differs := _differs(one, row))
        ]
        return {
            "would_fire": [self._alert(conn, row) for row in _sorted(fired)],
            "would_not_fire": [self._alert(conn, row) for row in _sorted(gone)],
            "changed": sorted(changed, key=lambda row: (row["occurred_at"], row["rule"])),
        }

    def _alert(self, conn: Connection, row: AlertRow, more: Json | None = None) -> Json:
        """An alert with the changes of its rule and of what that rests on, and the facts behind."""
        return {
            "rule": row["rule"],
            "key": row["key"],
            "category": row["category"],
            "severity": row["severity"],
            "title": row["title"],
            "occurred_at": iso(row["occurred_us"]),
            "opened_at": iso(row["opened_us"]),
            "still_open": row["status"] != "resolved",
            "protocol_version": row["protocol_version"],
            **(more or {}),
            "why": self._why(conn, row["protocol_version"], row["rule"]),
            "evidence": _evidence(orjson.loads(row["evidence"])),
        }

    def _why(self, conn: Connection, version: str, name: str) -> list[Json]:
        """The changes between a version that was in force and the proposed one behind a name."""
        if version == self.proposed.version:
            version = self._last(conn) or version
        return list(self._of(conn, version).get(name, ()))

    def _last(self, conn: Connection) -> str | None:
        row = versions.active(conn, self.trial)
        return None if row is None else str(row.version)

    def _of(self, conn: Connection, version: str) -> Mapping[str, list[Json]]:
        if version not in self._causes:
            row = versions.get(conn, self.trial, version)
            self._causes[version] = {}
            if row is not None:
                old = protocols.compiled(row)
                found = rules.diff(old, self.proposed)
                self._causes[version] = rules.concerning(found, old, self.proposed)
        return self._causes[version]

    # --- the decision -------------------------------------------------------------------------
    def _decision(
        self, conn: Connection, before: Rebuilt, after: Rebuilt, engine: rules.Engine
    ) -> Json | None:
        """Both decisions where they or any verdict differ, criterion by criterion."""
        if before.outcome is None or after.outcome is None or before.version is None:
            return None
        own = ENGINES.get(self.db, self.trial, before.version)
        one, other = own.view(before.outcome.state), engine.view(after.outcome.state)
        version = one["protocol_version"]
        criteria = [
            {**item, "why": self._why(conn, version, item["id"])}
            for item in _criteria(one["criteria"], other["criteria"])
        ]
        if one["decision"] == other["decision"] and not criteria:
            return None
        return {
            "before": one["decision"],
            "after": other["decision"],
            "protocol_version": version,
            "anchored": other["anchor"] is not None,
            "criteria": criteria,
        }


def _criteria(one: Sequence[Json], other: Sequence[Json]) -> Iterator[Json]:
    """The criteria whose verdict or effect differs, with the facts of whichever says more."""
    old = {item["id"]: item for item in one}
    new = {item["id"]: item for item in other}
    for name in dict.fromkeys((*old, *new)):
        left, right = old.get(name), new.get(name)
        if left and right and all(left[key] == right[key] for key in ("verdict", "satisfied")):
            continue
        shown: Any = right or left
        yield {
            "id": name,
            "text": shown["text"],
            "before": left["verdict"] if left else None,
            "after": right["verdict"] if right else None,
            "evidence": shown["evidence"],
            "missing": shown["missing"],
        }


def _counting(rows: Mapping[str, AlertRow]) -> dict[str, AlertRow]:
    return {name: row for name, row in rows.items() if row["rule"] not in _NOT_COMPARED}


def _sorted(rows: Sequence[AlertRow]) -> list[AlertRow]:
    return sorted(rows, key=lambda row: (row["occurred_us"], row["rule"], row["key"]))


def _paired(
    fired: list[AlertRow], gone: list[AlertRow]
) -> tuple[list[tuple[AlertRow, AlertRow]], list[AlertRow], list[AlertRow]]:
    """One rule's episodes that only begin elsewhere; the rest came or went."""
    pairs: list[tuple[AlertRow, AlertRow]] = []
    left: list[AlertRow] = []
    waiting: dict[str, list[AlertRow]] = {}
    for row in _sorted(gone):
        waiting.setdefault(row["rule"], []).append(row)
    for row in _sorted(fired):
        if waiting.get(row["rule"]):
            pairs.append((waiting[row["rule"]].pop(0), row))
        else:
            left.append(row)
    return pairs, left, [row for rows in waiting.values() for row in rows]


def _differs(one: AlertRow, other: AlertRow) -> list[Json]:
    """What of an alert would read otherwise: how loud, since when, whether it stands."""
    pairs = {
        "severity": (one["severity"], other["severity"]),
        "category": (one["category"], other["category"]),
        "occurred_at": (iso(one["occurred_us"]), iso(other["occurred_us"])),
        "still_open": (one["status"] != "resolved", other["status"] != "resolved"),
    }
    return [
        {"key": key, "from": left, "to": right}
        for key, (left, right) in pairs.items()
        if left != right
    ]


def _evidence(told: Sequence[Json]) -> list[Json]:
    return [
        {**item, "time": None if item.get("time") is None else _instant(item["time"])}
        for item in told
    ]


def _instant(time: Any) -> Any:
    return iso(time) if isinstance(time, int) else time


def _event(made: contributing.Made) -> rules.Event:
    """A contribution of the supposed course; it has its number once all are there."""
    return rules.Event(
        n=0,
        event=made.event,
        source=contributing.SOURCE,
        id=made.id,
        type=rules.EventType.CONTRIBUTION.value,
        time_us=made.since_us,
        timeprecision="second",
        received_us=made.at_us,
        data=orjson.loads(made.data),
    )


def _decisions(log: Iterable[rules.Event]) -> Iterator[rules.Event]:
    """What persons decided of holds: as they did, whatever stood there under the other version."""
    for one in log:
        if one.type == rules.EventType.SUSPENSION:
            yield one
        elif one.type == rules.EventType.RESUMPTION:
            yield replace(one, data={**one.data, "lifts": [rules.EVERY_HOLD]})


def _in_order(some: Iterable[rules.Event]) -> list[rules.Event]:
    """Numbered in order of time, at one instant by id."""
    ordered = sorted(some, key=lambda one: (one.received_us, one.id))
    return [replace(one, n=n) for n, one in enumerate(ordered, 1)]
