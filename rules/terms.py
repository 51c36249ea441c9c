"""The controlled words of the house: every decision is an enum that names its reason."""

from __future__ import annotations

from enum import StrEnum

# Behind the name of an earlier version's fact, where the active version means another by it.
PINNED, CONSENTED = "__pinned", "__consented"


def said(name: str) -> str:
    """A fact's name as the subject's own version has it."""
    return name.removesuffix(PINNED).removesuffix(CONSENTED)


class Unplaced(StrEnum):
    """Why a subject has no place among the quadrants of eDISH."""

    NOT_EVALUATED = "not_evaluated"
    NOT_MEASURED = "not_measured"
    LIMITS_MISSING = "limits_missing"


class Verdict(StrEnum):
    """Whether a criterion's statement holds. Missing is never 'no'."""

    MET = "met"
    NOT_MET = "not_met"
    INDETERMINATE = "indeterminate"
    NOT_APPLICABLE = "not_applicable"


class Decision(StrEnum):
    """Any unsatisfied criterion: ineligible; else any unknown: indeterminate; else eligible."""

    ELIGIBLE = "eligible"
    INELIGIBLE = "ineligible"
    INDETERMINATE = "indeterminate"


class CriterionKind(StrEnum):
    """Which way a criterion that holds lets a subject go."""

    INCLUSION = "inclusion"
    EXCLUSION = "exclusion"


class Scope(StrEnum):
    """What one snapshot of an alert rule is about."""

    SUBJECT = "subject"
    ENROLMENT = "enrolment"
    INFUSION = "infusion"
    ADVERSE_EVENT = "adverse_event"
    DEATH = "death"
    TRIAL = "trial"
    VISIT = "visit"
    LABORATORY = "laboratory"
    CLOCK = "clock"


class Category(StrEnum):
    """Where an alert belongs."""

    ELIGIBILITY = "eligibility"
    STOPPING = "stopping"
    SAFETY = "safety"
    RESPONSE = "response"
    CONDUCT = "conduct"
    OPERATIONS = "operations"


class Severity(StrEnum):
    """How loud an alert is; `rank` orders them."""

    INFO = "info"
    WARNING = "warning"
    SERIOUS = "serious"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info to 3 for critical."""
        return list(Severity).index(self)


class Change(StrEnum):
    """What a step did to a finding."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"  # the world changed
    SUPERSEDED = "superseded"  # the data were wrong


class EventType(StrEnum):
    """The event types of the contract, and the service's own."""

    DEMOGRAPHICS = "demographics"
    CONSENT = "consent"
    OBSERVATION = "observation"
    CONDITION = "condition"
    PROCEDURE = "procedure"
    MEDICATION = "medication"
    ADMINISTRATION = "administration"
    ADVERSE_EVENT = "adverse_event"
    ASSESSMENT = "assessment"
    ENROLMENT = "enrolment"
    OVERRIDE = "override"
    DEATH = "death"
    CORRECTION = "correction"
    # Never published: appended by the service itself.
    CONTRIBUTION = "contribution"
    DISCARD = "discard"
    ACTIVATION = "activation"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"


# What the service itself appends to the log is never published.
OWN_TYPES = frozenset(
    {
        EventType.CONTRIBUTION,
        EventType.DISCARD,
        EventType.ACTIVATION,
        EventType.SUSPENSION,
        EventType.RESUMPTION,
    }
)


class HoldKind(StrEnum):
    """Why a trial is held."""

    CROSSED = "crossed"  # a stopping rule's boundary was reached
    RULE = "rule"  # an alert rule over the trial's facts fired
    PAUSED = "paused"  # an alert rule over a subject fired: outside of the statistics
    PERSON = "person"  # somebody asked for it


class ValueType(StrEnum):
    """The types of facts, which are also the only ones that reach the engine."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    CODE = "code"  # a string out of a declared list
    STRING = "string"


class Take(StrEnum):
    """What a fact makes of the records it looks at."""

    LATEST = "latest"
    EARLIEST = "earliest"
    MIN = "min"
    MAX = "max"
    ANY = "any"
    ALL = "all"
    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    CONSECUTIVE = "consecutive"  # how many of the newest in a row
    DAYS_SINCE = "days_since"
    CHANGE_FROM_BASELINE = "change_from_baseline"
    RATIO_TO_REFERENCE = "ratio_to_reference"
    ABSENCE = "absence"
    TOUCHES_POINT = "touches_point"
    TOUCHES_SPAN = "touches_span"
    COMPLETED_YEARS = "completed_years"
    HYS_LAW = "hys_law"  # transaminases, bilirubin and phosphatase together
    EDISH = "edish"  # the quadrant of their highest values


class Measure(StrEnum):
    """What of a record counts: its value, its ratio to the range told with it, or its grade."""

    VALUE = "value"
    RATIO_TO_HIGH = "ratio_to_high"
    RATIO_TO_LOW = "ratio_to_low"
    GRADE = "grade"  # of the clinical dictionary, by the range told with it: never by a baseline
    GRADE_HIGH = "grade_high"
    GRADE_LOW = "grade_low"


class ChangeKind(StrEnum):
    """How a change from baseline is told."""

    ABSOLUTE = "absolute"
    PERCENT = "percent"
    RATIO = "ratio"


class Conflict(StrEnum):
    """Which of several differing records of one time counts."""

    LAST = "last"
    WORST = "worst"
    ANY = "any"
    MEAN = "mean"


class Absence(StrEnum):
    """Why a fact has no value; `recorded`: it has one. Four ways of absence are never mixed."""

    RECORDED = "recorded"
    NOT_RECORDED = "not_recorded"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"  # asked, but unknown
    REFUSED = "refused"
    NOT_APPLICABLE = "not_applicable"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"  # suspected, or a date that says too little


class WindowUnit(StrEnum):
    """Hours, days (of 24 h) and weeks are exact; the others count local days."""

    HOURS = "hours"
    DAYS = "days"
    WEEKS = "weeks"
    CALENDAR_DAYS = "calendar_days"
    MONTHS = "months"
    YEARS = "years"

    @property
    def exact(self) -> bool:
        """Whether it is a fixed length of time."""
        return self in (WindowUnit.HOURS, WindowUnit.DAYS, WindowUnit.WEEKS)


class Ends(StrEnum):
    """Which ends of a window belong to it."""

    BOTH = "both"
    FIRST = "first"
    LAST = "last"
    NEITHER = "neither"


class Relate(StrEnum):
    """Which of several entities a relation means."""

    LAST_BEFORE = "last_before"
    FIRST_AFTER = "first_after"


class AmendmentKind(StrEnum):
    """A major amendment needs the subjects' consent again."""

    MINOR = "minor"
    MAJOR = "major"


class Unit(StrEnum):
    """What a stopping rule counts."""

    SUBJECT = "subject"
    INFUSION = "infusion"


class WindowFrom(StrEnum):
    """From when a stopping rule watches a subject; an infusion is watched from its own start."""

    FIRST_INFUSION = "first_infusion"
    LAST_INFUSION = "last_infusion"
    ENROLMENT = "enrolment"  # nobody needs an infusion


class Evaluable(StrEnum):
    """When a unit with an event counts; one without counts when its window is over."""

    AT_EVENT = "at_event"
    AFTER_WINDOW = "after_window"


class Pending(StrEnum):
    """How a unit counts before it is evaluable."""

    WAIT = "wait"  # not at all
    EVENT_FREE = "event_free"  # as one without an event: flatters the trial
    PARTIAL = "partial"  # by its share of the window


class AeChange(StrEnum):
    """What a report was in the life of an adverse event."""

    INITIAL = "initial"
    FOLLOW_UP = "follow_up"
    REGRADED = "regraded"
    REATTRIBUTED = "reattributed"
    RENAMED = "renamed"
    SERIOUSNESS = "seriousness"
    OUTCOME = "outcome"
    REPORTED = "reported"
    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    REINSTATED = "reinstated"


class Deviation(StrEnum):
    """How grave a departure from the protocol is."""

    MINOR = "minor"
    MAJOR = "major"  # may touch a subject's rights or safety, or what the trial's data are worth


class Hold(StrEnum):
    """What must wait."""

    INFUSION = "infusion"  # the subject's next
    ENROLMENT = "enrolment"  # enrol nobody
    TRIAL = "trial"  # enrol nobody and infuse nobody


class Party(StrEnum):
    """Whose awareness starts a reporting clock."""

    SITE = "site"
    SPONSOR = "sponsor"


class ClockStage(StrEnum):
    """How far a reporting clock has run, or why it runs no longer."""

    RUNNING = "running"
    HALF = "half"  # half of its time is gone
    LATE_WARNING = "late_warning"  # four fifths
    OVERDUE = "overdue"
    MET = "met"
    MET_LATE = "met_late"
    LAPSED = "lapsed"  # what started it holds no longer
    WITHDRAWN = "withdrawn"  # the report was taken back
    EXEMPT = "exempt"  # the protocol asks for no report

    @property
    def owed(self) -> bool:
        """Whether the report is still to be made."""
        return self in (self.RUNNING, self.HALF, self.LATE_WARNING, self.OVERDUE)
