"""Small trials for tests of the store and of intake, where the flagship would only be slow."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services import backtests, protocols
from services.broker import Broker
from services.database import Database

SMALL_PROTOCOL = """\
vigil: 1
protocol: {id: small, version: "1.0", title: A small trial, time_zone: UTC, target: 3, sex: all,
           outcomes: {primary: [safety], secondary: []}, sources: {team: made for tests}}
codes:
  - {code: body_temperature, type: observation, label: Body temperature, value: number, unit: Cel,
     low: 25, high: 45, codings: [{system: "http://loinc.org", code: 8310-5}]}
  - {code: ecog, type: assessment, label: ECOG performance status, value: integer, low: 0, high: 5}
criteria:
  - {id: I1, kind: inclusion, text: ECOG of 0 to 2, when: ecog <= 2, source: {document: team}}
  - {id: E1, kind: exclusion, text: Fever, when: body_temperature >= 38, waivable: true,
     source: {document: team}}
"""
NOW_US = 1_900_000_000_000_000  # 2030: later than every event below
_ids = itertools.count(1)


@dataclass(frozen=True)
class Someone:
    """A publisher as intake sees one."""

    key_id: str = "key_test"
    role: str = "publisher"
    trials: frozenset[str] | None = None
    person: str | None = None


PUBLISHER = Someone()
CLINICIAN = Someone("key_clinician", "clinician", person="the investigator")
ADMIN = Someone("key_admin", "admin", person="the second person")


def make_trial(
    db: Database, trial: str = "small", mode: str = "live", text: str = SMALL_PROTOCOL
) -> str:
    """A trial with its protocol in force."""
    protocols.create_trial(db, trial, mode, text, "test", 1)
    return trial


def backtested(db: Database, trial: str, version: str, now_us: int = NOW_US) -> str:
    """The id of a finished backtest of this version, without a broker."""
    made = backtests.make(db, trial, version, "test", now_us)
    while backtests.work_off(db, Broker(None), now_us, made.id).more:
        pass
    return str(made.id)


def replace_version(version: str) -> str:
    """The small protocol as another version."""
    return SMALL_PROTOCOL.replace('version: "1.0"', f'version: "{version}"')


def event(**changes: Any) -> dict[str, Any]:
    """A temperature of subject S-001, with an id of its own unless given; None leaves one out."""
    whole: dict[str, Any] = {
        "specversion": "1.0",
        "id": f"e-{next(_ids)}",
        "source": "https://lis.example/",
        "type": "observation",
        "trial": "small",
        "subject": "S-001",
        "time": "2026-03-02T08:15:00+09:00",
        "data": {"code": "body_temperature", "value": 37.2, "unit": "Cel"},
        **changes,
    }
    return {name: value for name, value in whole.items() if value is not None}


def temperature(value: float = 37.2, unit: str = "Cel") -> Mapping[str, Any]:
    """The data of a body temperature."""
    return {"code": "body_temperature", "value": value, "unit": unit}


def correction(of: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """A correction of `of`: `data` are the correction's own, besides `corrects`."""
    data = {"corrects": {"source": of["source"], "id": of["id"]}, "reason": "typing error"}
    data |= changes.pop("data", {})
    return event(type="correction", subject=of["subject"], data=data, **changes)
