"""The rows of a study as events: one a row, and of DM one for each thing that it tells.

Who comes in: the import, with tables and what the protocol declares. Who goes out: Converted.
DM gives demographics, `screened` on DMDTC, `enrolled` on RFSTDTC and the death; EX an
administration (EXSEQ numbers it); AE an adverse event (AESEQ names it; the day of collection,
AEDTC, is when the investigator knew; an end after it is an event of its own); VS and LB
observations whose code is the test's in small letters, or bears it as a coding of
`urn:cdisc:sdtm:testcd`, or its LOINC code. Vital signs go as measured, laboratory values in the
standard unit where the protocol's is that. A row was recorded when all of its dates are over:
after its last day, at midnight in the trial's zone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from services.sdtm import words
from services.sdtm.dates import When, when
from services.sdtm.tables import Row, Tables

_LOINC, _TESTCD = "http://loinc.org", "urn:cdisc:sdtm:testcd"
_STANDARD = ("STRESN", "STRESU", "STNRLO", "STNRHI")
_MEASURED = ("ORRES", "ORRESU", "ORNRLO", "ORNRHI")
Event = dict[str, Any]


@dataclass(frozen=True)
class Study:
    """What the trial says of itself: its id, its zone, its observations by code and by coding."""

    trial: str
    zone: ZoneInfo
    codes: Mapping[str, Mapping[str, Any]]
    codings: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, trial: str, protocol: Mapping[str, Any]) -> Study:
        """From a protocol as `vigil protocol show --format json` tells it."""
        codes = {code["code"]: code for code in protocol["codes"] if code["type"] == "observation"}
        codings = {
            (coding["system"], coding["code"]): code["code"]
            for code in codes.values()
            for coding in code["codings"]
        }
        return cls(trial, ZoneInfo(protocol["time_zone"]), codes, codings)

    def code_of(self, test: str, loinc: str) -> Mapping[str, Any] | None:
        """The observation that a test is; None where the protocol declares none."""
        coded, by_loinc = self.codings.get((_TESTCD, test)), self.codings.get((_LOINC, loinc))
        named = (coded, test.lower(), by_loinc)
        return next((self.codes[name] for name in named if name and name in self.codes), None)


@dataclass
class Converted:
    """Events in order of `recordedtime`; rows left out, by why; rows that cannot be told."""

    events: list[Event] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def convert(tables: Tables, study: Study) -> Converted:
    """Every event of the tables. A row that cannot be told is a fault, never an exception."""
    made = Converted()
    stamped: list[tuple[float, Event]] = []
    for domain, of_row in _MAPPERS.items():
        for number, row in enumerate(tables.get(domain, ()), 2):
            try:
                stamped += of_row(row, study, made.ignored)
            except KeyError as error:
                made.faults.append(f"{domain}:{number}: there is no column {error.args[0]}")
            except ValueError as error:
                made.faults.append(f"{domain}:{number}: {error}")
    stamped.sort(key=lambda item: item[0])
    made.events = [event for _, event in stamped]
    return made


def _event(
    study: Study, row: Row, key: str, *, kind: str, dates: list[When | None], data: Event
) -> tuple[float, Event]:
    """`dates`: the row's own, the one that it happened on first."""
    told = [one for one in dates if one is not None]
    if not told:
        raise ValueError("bears no date")
    recorded = max(one.over for one in told)
    return recorded.timestamp(), {
        "specversion": "1.0",
        "id": f"{row['USUBJID']}.{key}",
        "source": f"sdtm:{row['STUDYID']}",
        "type": kind,
        "trial": study.trial,
        "subject": row["USUBJID"],
        "time": told[0].start.isoformat(),
        "timeprecision": told[0].precision,
        "recordedtime": recorded.isoformat(),
        "data": {name: value for name, value in data.items() if value not in (None, "")},
    }


def _subject(row: Row, study: Study, _ignored: Counter[str]) -> Iterator[tuple[float, Event]]:
    at, event = partial(when, zone=study.zone), partial(_event, study, row)
    site: Event = {"site": row.get("SITEID", "")}
    collected, began = at(row.get("DMDTC", "")), at(row["RFSTDTC"])
    seen = [collected or at(row.get("RFICDTC", "")) or began]
    person: Event = {
        "birth_date": row.get("BRTHDTC", "")[:10],
        "sex": words.SEX.get(row["SEX"], "unknown"),
    }
    yield event("DM", kind="demographics", dates=seen, data=person)
    yield event("DM.screened", kind="enrolment", dates=seen, data={"status": "screened", **site})
    if began:
        yield event(
            "DM.enrolled", kind="enrolment", dates=[began], data={"status": "enrolled", **site}
        )
    if died := at(row.get("DTHDTC", "")):
        yield event("DM.death", kind="death", dates=[died], data={})


def _exposure(row: Row, study: Study, _ignored: Counter[str]) -> Iterator[tuple[float, Event]]:
    started, ended = when(row["EXSTDTC"], study.zone), when(row.get("EXENDTC", ""), study.zone)
    data: Event = {
        "product": row["EXTRT"],
        "number": _told(row, "EXSEQ", int),
        "dose": _told(row, "EXDOSE", float),
        "unit": _unit(row.get("EXDOSU", "")) if row.get("EXDOSE") else None,
        "status": "completed",
        "start": started and started.text,
        "end": ended and ended.text,
    }
    dates = [started, ended]
    yield _event(study, row, f"EX.{row['EXSEQ']}", kind="administration", dates=dates, data=data)


def _adverse_event(row: Row, study: Study, _ignored: Counter[str]) -> Iterator[tuple[float, Event]]:
    """What was collected; an end that came after the collection is told when it came."""
    began, ended, collected = (
        when(row.get(name, ""), study.zone) for name in ("AESTDTC", "AEENDTC", "AEDTC")
    )
    event, key = partial(_event, study, row, kind="adverse_event"), f"AE.{row['AESEQ']}"
    met = dict.fromkeys(word for flag, word in words.CRITERIA.items() if row.get(flag) == "Y")
    name: Event = {"ae": f"AE-{row['AESEQ']}"}
    data: Event = {
        "term": row.get("AEDECOD") or row.get("AETERM"),
        "grade": _told(row, "AETOXGR", int),
        "serious": {"Y": True, "N": False}.get(row.get("AESER", "")),
        "seriousness": list(met),
        "causality": words.CAUSALITY.get(row.get("AEREL", "").upper()),
        "onset": began and began.text,
        "aware_at": collected and collected.text,
    }
    outcome = row.get("AEOUT", "")
    end: Event = {
        "outcome": words.OUTCOME.get(outcome, outcome.lower()),
        "resolved": ended and ended.text,
    }
    dates = [began or collected, collected]
    if ended and collected and ended.start >= collected.over:
        yield event(key, dates=dates, data=name | data)
        yield event(f"{key}.end", dates=[ended], data=name | end)
    else:
        yield event(key, dates=[*dates, ended], data=name | data | end)


def _finding(
    domain: str, row: Row, study: Study, ignored: Counter[str]
) -> Iterator[tuple[float, Event]]:
    """A row of VS or LB."""
    test = row[f"{domain}TESTCD"]
    code = study.code_of(test, row.get("LBLOINC", ""))
    if code is None:
        ignored[f"{domain} {test}: the protocol declares no such code"] += 1
        return
    data: Event = {"code": code["code"], "method": row.get(f"{domain}POS", "").lower()}
    data |= _result(domain, row, code)
    if row.get(f"{domain}BLFL") == "Y":
        data["baseline"] = True
    dates = [when(row[f"{domain}DTC"], study.zone)]
    key = f"{domain}.{row[f'{domain}SEQ']}"
    yield _event(study, row, key, kind="observation", dates=dates, data=data)


def _result(domain: str, row: Row, code: Mapping[str, Any]) -> Event:
    """The value with its unit and range; a result that is no number, as `<0.2`, is not known."""
    if row.get(f"{domain}STAT") == "NOT DONE":
        return {"absent": "not_done"}
    if code["value"] not in ("number", "integer"):
        text = row[f"{domain}STRESC"]
        return {"value": text} if text else {"absent": "unknown"}
    names = _STANDARD if domain == "LB" and _is_standard(row, code["unit"]) else _MEASURED
    value, unit, low, high = (row.get(f"{domain}{column}", "") for column in names)
    if _number(value) is None:
        return {"absent": "unknown"}
    return {
        "value": _number(value),
        "unit": _unit(unit) if code["unit"] else None,
        "reference_low": _number(low),
        "reference_high": _number(high),
    }


def _is_standard(row: Row, unit: str | None) -> bool:
    return _unit(row.get("LBSTRESU", "")) == (unit or "")


def _told(row: Row, column: str, kind: Callable[[str], float]) -> float | None:
    """The number in a cell; None where it is empty. Raises ValueError, without the text."""
    try:
        return kind(row[column]) if row.get(column) else None
    except ValueError:
        raise ValueError(f"{column} must be a number") from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unit(text: str) -> str:
    return words.UNITS.get(text, text)


_MAPPERS: Mapping[str, Callable[[Row, Study, Counter[str]], Iterator[tuple[float, Event]]]] = {
    "dm": _subject,
    "ex": _exposure,
    "ae": _adverse_event,
    "vs": partial(_finding, "VS"),
    "lb": partial(_finding, "LB"),
}
