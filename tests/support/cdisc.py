"""The CDISC pilot study as CloudEvents, and what its alerts must be, counted from the tables alone.

Who comes in: tests, with the folder of SDTM tables as CSV. Who goes out: events for a replay trial
of rules/protocols/examples/cdisc-pilot.yaml, made as `vigil import --format sdtm` makes them, and per
subject and rule how many alerts were ever opened and how many stay open. The count reads the CSV
files, never the events made of them. Laboratory, clocks and patterns are counted in pilot_truth.py.

AESEV is no CTCAE grade, so adverse events have none. What is dated by the day happened somewhere in
it (`timeprecision`), and was recorded when the row's last day was over: midnight in New York.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import rules
from services import sdtm
from tests.support import pilot_truth

ROOT = Path(__file__).resolve().parents[2]
PILOT = ROOT / "rules" / "protocols" / "examples" / "cdisc-pilot.yaml"
REALDATA = ROOT.parent / "shared" / "realdata"
ZONE = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
CRITERIA = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESCAN", "AESOD")
LIVER_RULES = {
    "candidate": "HY-CANDIDATE", "cholestasis_unknown": "HY-CANDIDATE", "cholestatic": "HY-CHOLESTATIC",
}  # fmt: skip
TABLES = ("dm", "ex", "ae", "vs", "lb")
HALFWAY = 150

Row = dict[str, str]
Event = dict[str, Any]


def available(folder: Path = REALDATA) -> bool:
    """Whether the tables are there; they are not part of the repository."""
    return (folder / "cdiscpilot_dm.csv").is_file()


def table(name: str, folder: Path = REALDATA) -> list[Row]:
    """One SDTM table as it stands, every cell a text."""
    plain = folder / f"cdiscpilot_{name}.csv"
    if plain.is_file():
        with plain.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    with gzip.open(f"{plain}.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- events --------------------------------------------------------------------------------------
def events(trial: str, folder: Path = REALDATA) -> list[Event]:
    """Every event of the study's DM, EX, AE, VS and LB, in order of `recordedtime`."""
    protocol = rules.show(rules.load(PILOT), "json")
    assert isinstance(protocol, dict)
    tables = {domain: table(domain, folder) for domain in TABLES}
    made = sdtm.convert(tables, sdtm.Study.of(trial, protocol))
    assert not made.faults
    assert not made.ignored
    return made.events


# --- the independent count -------------------------------------------------------------------------
@dataclass
class Count:
    """Alerts of one rule for one subject."""

    opened: int = 0
    open: int = 0


Counts = dict[str, dict[str, Count]]  # subject -> rule -> count


def _first_day(text: str) -> date:
    return date.fromisoformat(f"{text}-01-01"[:10] if len(text) == 4 else f"{text}-01"[:10])


def instant(text: str) -> datetime:
    """A date of a table, of a day its beginning."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def last_day(folder: Path = REALDATA) -> date:
    """The day after the last one that any row names: where the replay's clock ends."""
    columns = {"dm": ("DMDTC", "RFSTDTC", "DTHDTC"), "ex": ("EXSTDTC", "EXENDTC"),
               "ae": ("AEDTC", "AESTDTC", "AEENDTC"), "vs": ("VSDTC",), "lb": ("LBDTC",)}  # fmt: skip
    days = [
        row[name]
        for file, names in columns.items()
        for row in table(file, folder)
        for name in names
    ]
    return max(_first_day(day[:10]) for day in days if day) + DAY


def expected(folder: Path = REALDATA) -> Counts:
    """How many alerts each subject must have had of each rule, once the data are played to their end."""
    counts: Counts = defaultdict(lambda: defaultdict(Count))
    until = last_day(folder)
    for row in table("dm", folder):
        _count_eligibility(counts[row["USUBJID"]], row, until)
        if row["DTHDTC"]:
            _add(counts[row["USUBJID"]]["S-DEATH"])
    for row in table("ae", folder):
        _count_adverse_event(counts[row["USUBJID"]], row)
    _count_vital_signs(counts, table("vs", folder))
    _count_clocks(counts, folder)
    _count_laboratory(counts, folder)
    for subject, tests in pilot_truth.livers(folder).items():
        if rule := LIVER_RULES.get(pilot_truth.hys_law(tests)):
            _add(counts[subject][rule])
        if pilot_truth.quadrant(tests) != "normal":
            _add(counts[subject]["LIVER-PEAKS"])
    return {subject: dict(rules) for subject, rules in counts.items() if rules}


def expected_of_the_trial(folder: Path = REALDATA) -> dict[str, Count]:
    """The alerts that are about no single subject."""
    enrolled = sum(bool(row["RFSTDTC"]) for row in table("dm", folder))
    return {"ACC-HALFWAY": Count(opened=1, open=1)} if enrolled >= HALFWAY else {}


def _add(count: Count, *, stays: bool = True) -> None:
    count.opened += 1
    count.open += stays


def _age(birth: str, on: date) -> int:
    born = date.fromisoformat(birth)
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _birthday(birth: str, age: int) -> date:
    born = date.fromisoformat(birth)
    try:
        return born.replace(year=born.year + age)
    except ValueError:
        return date(born.year + age, 3, 1)


def _count_eligibility(rules: dict[str, Count], row: Row, until: date) -> None:
    """50 to 85 years is eligible. Told from the day after DMDTC to the day after RFSTDTC, if any."""
    begins = date.fromisoformat(row["DMDTC"]) + DAY
    enrolled = row["RFSTDTC"]
    ends = date.fromisoformat(enrolled) + DAY if enrolled else until
    spans = [(begins, _eligible(_age(row["BRTHDTC"], begins)))]
    for turning in (50, 86):  # time alone changes the answer on these days
        day = _birthday(row["BRTHDTC"], turning)
        if begins < day <= ends:
            spans.append((day, _eligible(turning)))
    for number, (_, eligible) in enumerate(spans, start=1):
        stays = number == len(spans) and not enrolled
        _add(rules["EL-ELIGIBLE" if eligible else "EL-INELIGIBLE"], stays=stays)
    if enrolled and not _eligible(_age(row["BRTHDTC"], date.fromisoformat(enrolled))):
        _add(rules["EL-ENROLLED-NOT-ELIGIBLE"])


def _eligible(age: int) -> bool:
    return 50 <= age <= 85


def _count_adverse_event(rules: dict[str, Count], row: Row) -> None:
    """Serious is what is flagged so or meets a criterion; a missing causality is suspected."""
    criteria = any(row[flag] == "Y" for flag in CRITERIA)
    flagged = row["AESER"] == "Y"
    if flagged or criteria:
        _add(rules["S-SAE"])
        if row["AEREL"] in ("PROBABLE", "POSSIBLE", ""):
            _add(rules["S-SUSPECTED-SAE"])
            _add(rules["S-SUSAR"])  # nothing is listed as expected
    if criteria and not flagged:
        _add(rules["S-SAE-FLAG"])
    if row["AEOUT"] == "FATAL" or row["AESDTH"] == "Y":
        _add(rules["S-FATAL-AE"])


LIMITS = {
    "SYSBP": ("V-SYSTOLIC-HIGH", lambda value, unit: value >= 180),
    "DIABP": ("V-DIASTOLIC-HIGH", lambda value, unit: value >= 110),
    "PULSE": ("V-PULSE", lambda value, unit: value < 45 or value > 120),
    "TEMP": ("V-TEMPERATURE-HIGH", lambda value, unit: value >= (37.8 if unit == "C" else 100.04)),
}


def _count_vital_signs(counts: Counts, rows: list[Row]) -> None:
    """An episode begins with a value beyond the limit and lasts until one that is not, or not done."""
    series: Mapping[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["VSTESTCD"] in LIMITS:
            series[row["USUBJID"], row["VSTESTCD"]].append(row)
    for (subject, test), measured in series.items():
        rule, beyond = LIMITS[test]
        inside = False
        for row in sorted(measured, key=lambda item: (item["VSDTC"], int(item["VSSEQ"]))):
            before, inside = (
                inside,
                bool(row["VSORRES"]) and beyond(float(row["VSORRES"]), row["VSORRESU"]),
            )
            counts[subject][rule].opened += inside and not before
        if counts[subject][rule].opened:
            counts[subject][rule].open = int(inside)
        else:
            del counts[subject][rule]


def _count_clocks(counts: Counts, folder: Path) -> None:
    """Nothing tells that a report was made: each clock runs out, and was running if told in time."""
    for event in pilot_truth.serious(folder):
        for due in event.due.values():
            if event.received < due:  # told at its very end it has run out
                _add(counts[event.subject]["CL-DUE"], stays=False)
            _add(counts[event.subject]["CL-OVERDUE"])


def _count_laboratory(counts: Counts, folder: Path) -> None:
    for (subject, _), rules_of_series in pilot_truth.episodes(folder).items():
        for rule, seen in rules_of_series.items():
            if seen.opened:
                counts[subject][rule].opened += seen.opened
                counts[subject][rule].open += seen.open
