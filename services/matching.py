"""Who is to be told: subscriptions' filters against one change of an alert.

Who comes in: alerting. Who goes out: nobody; nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from rules import Severity


@dataclass(frozen=True, slots=True)
class About:
    """What a filter may ask of one change."""

    trial: str
    replay: bool  # a replay trial's alerts leave the house only where the trial is named
    subject: str | None
    site: str | None
    rule: str
    categories: frozenset[str]  # one; two where safety must hear of an operations alert
    severity_rank: int
    event: str  # alert.opened ...


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription's filter, decoded; an empty set asks for everything."""

    trials: frozenset[str]
    categories: frozenset[str]
    subjects: frozenset[str]
    sites: frozenset[str]
    rules: frozenset[str]
    events: frozenset[str]
    min_rank: int
    within: frozenset[str] | None  # the trials of the key that made it; None: all

    def wants(self, about: About) -> bool:
        """Whether to tell this subscriber."""
        return (
            self._may_see(about)
            and about.severity_rank >= self.min_rank
            and _takes(self.events, about.event)
            and (not self.categories or bool(self.categories & about.categories))
            and _takes(self.rules, about.rule)
            and _takes(self.subjects, about.subject)
            and _takes(self.sites, about.site)
        )

    def _may_see(self, about: About) -> bool:
        if self.within is not None and about.trial not in self.within:
            return False
        if about.replay:
            return about.trial in self.trials
        return _takes(self.trials, about.trial)


def _takes(wanted: frozenset[str], value: str | None) -> bool:
    return not wanted or value in wanted


@lru_cache(maxsize=1024)
def wish(filter_json: str, events_json: str, trials_json: str | None) -> Wish:
    """The wish of a subscription's row: its `filter`, `events` and `trials` columns."""
    asked: Mapping[str, Any] = orjson.loads(filter_json) or {}
    severity = asked.get("min_severity")
    return Wish(
        trials=_set(asked, "trials"),
        categories=_set(asked, "categories"),
        subjects=_set(asked, "subjects"),
        sites=_set(asked, "sites"),
        rules=_set(asked, "rules"),
        events=frozenset(orjson.loads(events_json) or ()),
        min_rank=Severity(severity).rank if severity else 0,
        within=None if trials_json is None else frozenset(orjson.loads(trials_json)),
    )


def _set(asked: Mapping[str, Any], name: str) -> frozenset[str]:
    return frozenset(asked.get(name) or ())
