"""What the pilot study's tables say of grades, clocks, seriousness, deaths and livers: plain Python.

Who comes in: tests, with the folder of SDTM tables. Who goes out: what Vigil must find. Nothing of
Vigil is imported: the limits of CTCAE v5.0 for the tests that occur are written down here once more,
from the table of the clinical notes, in the units of LBSTRESU (haemoglobin: g/L, from LBORRES).
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

REALDATA = Path(__file__).resolve().parents[3] / "shared" / "realdata"
ZONE = ZoneInfo("America/New_York")
Row = dict[str, str]
Grades = tuple[int, int]  # the lowest and the highest grade that the value leaves open


def table(name: str, folder: Path = REALDATA) -> list[Row]:
    """One SDTM table as it stands."""
    file = folder / f"cdiscpilot_{name}.csv"
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as plain:
            return list(csv.DictReader(plain))
    with gzip.open(f"{file}.gz", "rt", encoding="utf-8", newline="") as packed:
        return list(csv.DictReader(packed))


# --- laboratory grades -----------------------------------------------------------------------------
# Multiples of the upper limit beyond which grade 1, 2, 3, 4 begins; then of a baseline that was
# itself above its upper limit (its first one reached, not passed, where `AT_LEAST` names the test).
MULTIPLES: dict[str, tuple[tuple[float, ...], tuple[float, ...] | None]] = {
    "ALT": ((1, 3, 5, 20), (1.5, 3, 5, 20)),
    "AST": ((1, 3, 5, 20), (1.5, 3, 5, 20)),
    "ALP": ((1, 2.5, 5, 20), (2, 2.5, 5, 20)),
    "GGT": ((1, 2.5, 5, 20), (2, 2.5, 5, 20)),
    "BILI": ((1, 1.5, 3, 10), (1, 1.5, 3, 10)),
    "CK": ((1, 2.5, 5, 10), None),
}
AT_LEAST = {"ALT", "AST", "ALP", "GGT"}
# Above the upper limit is grade 1; above these numbers 2, 3, 4.
ABOVE = {"K": (5.5, 6, 7), "SODIUM": (150, 155, 160), "CHOL": (7.75, 10.34, 12.92)}
# Below the lower limit is grade 1; below these numbers 2, 3, 4 (None: there is no such step).
BELOW: dict[str, tuple[float | None, ...]] = {
    "HGB": (100, 80, None),
    "PLAT": (75, 50, 25),
    "WBC": (3, 2, 1),
    "LYM": (0.8, 0.5, 0.2),
    "ALB": (30, 20, None),
    "GLUC": (3, 2.2, 1.7),
    "K": (None, 3, 2.5),
    "SODIUM": (130, 125, 120),
}
SYMPTOMS = {
    ("K", 1): (1, 2),
    ("SODIUM", 2): (2, 3),
}  # what the lower side's text leaves to symptoms
HIGH = {*MULTIPLES, *ABOVE, "HGB", "LYM", "WBC", "CREAT", "URATE", "EOS"}
LOW = set(BELOW)
GRADED = HIGH | LOW


@dataclass(frozen=True)
class Result:
    """One laboratory value: as it was measured, against which limits, after which baseline."""

    subject: str
    test: str
    seq: int
    when: str
    value: float
    low: float | None
    high: float | None
    baseline: float | None  # None also for the baseline itself and what was measured before it
    baseline_high: bool
    is_baseline: bool

    @property
    def event(self) -> str:
        return f"{self.subject}.LB.{self.seq}"

    @property
    def grades(self) -> tuple[Grades | None, Grades | None]:
        """Of the low side and of the high one; None where CTCAE has no such term."""
        return (
            below(self) if self.test in LOW else None,
            above(self) if self.test in HIGH else None,
        )

    @property
    def worst(self) -> Grades:
        """Of both sides together."""
        told = [side for side in self.grades if side is not None]
        return max(side[0] for side in told), max(side[1] for side in told)


def results(folder: Path = REALDATA) -> Iterator[Result]:
    """Every numeric value of a test that CTCAE grades."""
    rows = [row for row in table("lb", folder) if row["LBTESTCD"] in GRADED and row["LBSTRESN"]]
    series: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["LBDTC"]):
        series[row["USUBJID"], row["LBTESTCD"]].append(row)
    doses = first_doses(folder)
    for (subject, _), tests in series.items():
        base, since = baseline(tests, doses.get(subject))
        yield from (result(row, base, since) for row in tests)


def result(row: Row, base: Row | None, since: str) -> Result:
    """One value, beside the baseline where it was measured after it."""
    value, low, high = measured(row)
    was, _, limit = measured(base) if base and row["LBDTC"] > since else (None, None, None)
    return Result(
        row["USUBJID"],
        row["LBTESTCD"],
        int(row["LBSEQ"]),
        row["LBDTC"],
        value,
        low,
        high,
        was,
        was is not None and limit is not None and was > limit,
        row is base,
    )


def first_doses(folder: Path = REALDATA) -> dict[str, str]:
    """The day of each subject's first dose."""
    days: dict[str, list[str]] = defaultdict(list)
    for row in table("ex", folder):
        days[row["USUBJID"]].append(row["EXSTDTC"])
    return {subject: min(several) for subject, several in days.items()}


def baseline(tests: list[Row], dosed: str | None) -> tuple[Row | None, str]:
    """The baseline of one series, and the time after which values are graded against it.

    The value that the study flags as the baseline; where none is, the last one before the day of
    the first dose, and then for what was measured after that day.
    """
    flagged = [row for row in tests if row["LBBLFL"] == "Y"]
    if flagged:
        return flagged[-1], flagged[-1]["LBDTC"]
    before = [row for row in tests if dosed is not None and row["LBDTC"][:10] < dosed]
    return (before[-1], f"{dosed}T24") if before else (None, "")


def measured(row: Row) -> tuple[float, float | None, float | None]:
    """Value, lower and upper limit: standard units, but haemoglobin's mmol/L."""
    if row["LBTESTCD"] == "HGB":
        cells, factor = (row["LBORRES"], row["LBORNRLO"], row["LBORNRHI"]), 10
    else:
        cells, factor = (row["LBSTRESN"], row["LBSTNRLO"], row["LBSTNRHI"]), 1
    value, low, high = (digits(float(cell) * factor) if cell else None for cell in cells)
    assert value is not None
    return value, low, high


def digits(value: float) -> float:
    """At the twelve significant digits at which values and limits are compared."""
    return float(f"{value:.12g}")


def below(one: Result) -> Grades:
    """The grade of a value that may be too low."""
    grade = int(one.low is not None and one.value < one.low)
    for step, limit in enumerate(BELOW[one.test], 2):
        if limit is not None and one.value < limit:
            grade = step
    return SYMPTOMS.get((one.test, grade), (grade, grade))


def above(one: Result) -> Grades:
    """The grade of a value that may be too high."""
    over = one.high is not None and one.value > one.high
    if one.test in MULTIPLES:
        grade = _of_multiples(one)
    elif one.test in ABOVE:
        grade = max(
            [int(over)] + [n for n, limit in enumerate(ABOVE[one.test], 2) if one.value > limit]
        )
    elif one.test == "HGB":
        grade = sum(one.high is not None and one.value > one.high + more for more in (0, 20, 40))
    elif one.test == "LYM":
        grade = 3 if one.value > 20 else 2 if one.value > 4 else 0
    elif one.test == "WBC":
        grade = 3 if one.value > 100 else 0
    elif one.test == "CREAT":
        grade = _of_creatinine(one)
    elif one.test == "URATE":
        return (1, 3) if over else (0, 0)  # physiologic consequences
    elif one.test == "EOS" and one.baseline is None:
        return (0, 1) if over else (0, 0)  # above the baseline too?
    else:
        grade = int(over and one.baseline is not None and one.value > one.baseline)
    return grade, grade


def _of_multiples(one: Result) -> int:
    normal, abnormal = MULTIPLES[one.test]
    if abnormal is None or not one.baseline_high:
        assert one.high is not None
        return sum(one.value > digits(times * one.high) for times in normal)
    assert one.baseline is not None
    limits = [digits(times * one.baseline) for times in abnormal]
    reached = one.value >= limits[0] if one.test in AT_LEAST else one.value > limits[0]
    return int(reached) + sum(one.value > limit for limit in limits[1:])


def _of_creatinine(one: Result) -> int:
    assert one.high is not None
    grade = sum(one.value > digits(times * one.high) for times in (1, 1.5, 3, 6))
    if one.baseline is not None:
        grade = max(
            grade, *(n * (one.value > digits(x * one.baseline)) for n, x in ((2, 1.5), (3, 3)))
        )
    return grade


# --- alerts of laboratory values, as things became known ---------------------------------------------
SEVERE, RISE = 3, 2


@dataclass
class Episodes:
    """How often the newest value of a series began to be severe and new, or much worse."""

    opened: int = 0
    open: bool = False

    def see(self, *, holds: bool) -> None:
        """The newest value, judged once more."""
        self.opened += holds and not self.open
        self.open = holds


def episodes(folder: Path = REALDATA) -> dict[tuple[str, str], dict[str, Episodes]]:
    """By subject and test, of `L-GRADE` and `L-WORSE`."""
    rows = [row for row in table("lb", folder) if row["LBTESTCD"] in GRADED and row["LBSTRESN"]]
    told = [(received(row["LBDTC"]), 1, number, row) for number, row in enumerate(rows)]
    told += [
        (received(row["EXSTDTC"], row["EXENDTC"]), 0, number, row)
        for number, row in enumerate(table("ex", folder))
    ]
    doses: dict[str, str] = {}
    known: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    found: dict[tuple[str, str], dict[str, Episodes]] = defaultdict(
        lambda: {"L-GRADE": Episodes(), "L-WORSE": Episodes()}
    )
    for _, is_value, _, row in sorted(told, key=lambda item: item[:3]):
        subject = row["USUBJID"]
        if is_value:
            tests = [row["LBTESTCD"]]
            known[subject][tests[0]].append(row)
            known[subject][tests[0]].sort(key=lambda one: one["LBDTC"])
        else:
            tests = list(known[subject])
            doses[subject] = min(row["EXSTDTC"], doses.get(subject, row["EXSTDTC"]))
        for test in tests:
            grade, rise = judged(known[subject][test], doses.get(subject))
            severe = grade >= SEVERE and (rise is None or rise > 0)
            found[subject, test]["L-GRADE"].see(holds=severe)
            found[subject, test]["L-WORSE"].see(holds=rise is not None and rise >= RISE)
    return found


def received(*days: str) -> datetime:
    """A time of the day at once; a day when it is over, of several the last."""
    return max(
        datetime.fromisoformat(day).replace(tzinfo=ZONE)
        if "T" in day
        else midnight(date.fromisoformat(day) + timedelta(days=1))
        for day in days
        if day
    )


def judged(tests: list[Row], dosed: str | None) -> tuple[int, int | None]:
    """The worst grade of the newest value, and how much worse than the baseline's it is."""
    base, since = baseline(tests, dosed)
    newest = result(tests[-1], base, since)
    worst = [-1 if side is None else side[1] for side in newest.grades]
    grade = max(worst)
    if base is None or (tests[-1] is not base and tests[-1]["LBDTC"] <= since):
        return grade, None
    if tests[-1] is not base and newest.baseline_high and _by_multiples(newest, worst, grade):
        return grade, grade  # of 1.0 times the baseline, which is grade 0
    before = result(base, None, "").grades
    own = [-1 if side is None else side[1] for side in before]
    return grade, grade - (own[worst.index(grade)] if grade else max(own))


def _by_multiples(newest: Result, worst: list[int], grade: int) -> bool:
    """Whether the worst side is one that a high baseline has graded in multiples of itself."""
    multiples = newest.test in MULTIPLES and MULTIPLES[newest.test][1] is not None
    return multiples and grade > 0 and worst.index(grade) == 1


# --- adverse events and their clocks ---------------------------------------------------------------
CRITERIA = ("AESDTH", "AESLIFE", "AESHOSP", "AESDISAB", "AESCONG", "AESCAN", "AESOD")


@dataclass(frozen=True)
class Event:
    """One adverse event that meets a criterion of seriousness, is flagged so, or was fatal."""

    subject: str
    ae: str
    flagged: bool
    criteria: tuple[str, ...]
    fatal: bool
    suspected: bool
    collected: date

    @property
    def conflict(self) -> bool:
        """A criterion, or death, says serious; the flag says not."""
        return not self.flagged

    @property
    def deadly(self) -> bool:
        """Fatal or life-threatening: seven days, not fifteen."""
        return self.fatal or "AESLIFE" in self.criteria

    @property
    def received(self) -> datetime:
        """When the day of collection was over: the first that anybody else can have known."""
        return midnight(self.collected + timedelta(days=1))

    @property
    def due(self) -> dict[str, datetime]:
        """When each report is due, by clock.

        The site's first report 24 hours after the day of collection began, which is the earliest
        that it knew. A suspected reaction, and none is on a list of expected ones, by the end of
        day 7 or 15 after its receipt (day 0), or of day 15 after its collection.
        """
        start = midnight(self.collected).astimezone(UTC)
        due = {"SAE-24": start + timedelta(hours=24)}
        if self.suspected:
            told = self.collected + timedelta(days=1)
            due["SUSAR-7" if self.deadly else "SUSAR-15"] = end_of(told, 7 if self.deadly else 15)
            due["COLLECTED-15"] = end_of(self.collected, 15)
        return due


def end_of(day: date, later: int) -> datetime:
    """The last second of the day that comes so many days later."""
    return midnight(day + timedelta(days=later + 1)) - timedelta(seconds=1)


def midnight(day: date) -> datetime:
    """With which a day begins in New York."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def serious(folder: Path = REALDATA) -> Iterator[Event]:
    """The adverse events that are serious, whatever the flag says. No causality is suspected."""
    for row in table("ae", folder):
        criteria = tuple(flag for flag in CRITERIA if row[flag] == "Y")
        fatal = row["AEOUT"] == "FATAL" or "AESDTH" in criteria
        if row["AESER"] == "Y" or criteria or fatal:
            yield Event(
                row["USUBJID"],
                f"AE-{row['AESEQ']}",
                row["AESER"] == "Y",
                criteria,
                fatal,
                row["AEREL"] in ("PROBABLE", "POSSIBLE", ""),
                date.fromisoformat(row["AEDTC"]),
            )


def dead(folder: Path = REALDATA) -> dict[str, date]:
    """Who died, and on which day."""
    rows = table("dm", folder)
    return {row["USUBJID"]: date.fromisoformat(row["DTHDTC"]) for row in rows if row["DTHDTC"]}


# --- livers ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Liver:
    """One liver test in multiples of its own upper limit."""

    test: str
    at: datetime
    times: float


def livers(folder: Path = REALDATA) -> dict[str, list[Liver]]:
    """Every subject's liver tests, in order of time."""
    found: dict[str, list[Liver]] = defaultdict(list)
    for row in table("lb", folder):
        if row["LBTESTCD"] in ("ALT", "AST", "BILI", "ALP") and row["LBSTRESN"]:
            at = datetime.fromisoformat(row["LBDTC"]).replace(tzinfo=ZONE)
            times = float(row["LBSTRESN"]) / float(row["LBSTNRHI"])
            found[row["USUBJID"]].append(Liver(row["LBTESTCD"], at, times))
    return {subject: sorted(tests, key=lambda one: one.at) for subject, tests in found.items()}


def hys_law(tests: list[Liver]) -> str:
    """`none`, `candidate`, `cholestatic` or `cholestasis_unknown`, by the worst pair of values.

    A transaminase of 3 times its limit, bilirubin of twice its own within the 14 days after; a
    phosphatase of twice its own within 7 days of the transaminase makes it cholestatic, one
    that is lower makes it a candidate.
    """
    told = set()
    for enzyme in (one for one in tests if one.test in ("ALT", "AST") and one.times >= 3):
        after = [one for one in tests if one.test == "BILI" and one.times >= 2]
        if any(timedelta(0) <= one.at - enzyme.at <= timedelta(days=14) for one in after):
            near = [
                one.times
                for one in tests
                if one.test == "ALP" and abs(one.at - enzyme.at) <= timedelta(days=7)
            ]
            told.add(
                "cholestasis_unknown"
                if not near
                else "cholestatic"
                if max(near) >= 2
                else "candidate"
            )
    order = ("candidate", "cholestasis_unknown", "cholestatic")
    return next((word for word in order if word in told), "none")


def quadrant(tests: list[Liver]) -> str:
    """Where the peaks of all time lie."""
    enzyme = max(one.times for one in tests if one.test in ("ALT", "AST"))
    bilirubin = max(one.times for one in tests if one.test == "BILI")
    if enzyme >= 3:
        return "hy" if bilirubin >= 2 else "temple"
    return "cholestasis" if bilirubin >= 2 else "normal"
