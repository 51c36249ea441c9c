"""A protocol as typed, frozen data: what the language module makes and all others read.

Who comes in: rules/language (maker), facts, assessment, knowledge, step, trial (readers).
Nothing here computes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.terms import Category, CriterionKind, EventType, Scope, Severity, ValueType

Scalar = bool | int | float | str


# --- conditions: a closed tree; `&&` and `||` are Kleene's ------------------------------------
@dataclass(frozen=True)
class Const:
    """true or false."""

    value: bool


@dataclass(frozen=True)
class Compare:
    """`fact op value`; op is one of == != < <= > >=. A bare boolean fact is `fact == true`."""

    fact: str
    op: str
    value: Scalar


@dataclass(frozen=True)
class In:
    """`fact in [values]`."""

    fact: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Has:
    """`has(facts.fact)`: whether it is known; itself never unknown."""

    fact: str


@dataclass(frozen=True)
class Not:
    """Kleene's negation."""

    part: Condition


@dataclass(frozen=True)
class And:
    """All parts; at least two."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Or:
    """Any part; at least two."""

    parts: tuple[Condition, ...]


Condition = Const | Compare | In | Has | Not | And | Or


# --- declarations -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Source:
    """Where a statement comes from; `confidence` is stated or 'to be confirmed'."""

    document: str
    section: str = ""
    quote: str = ""
    confidence: str = ""


@dataclass(frozen=True)
class Parameter:
    """A number or word that the protocol chose; `source` says 'not in the record' where so."""

    name: str
    value: Scalar
    source: str
    reason: str = ""


@dataclass(frozen=True)
class Coding:
    """A concept in a public code system."""

    system: str
    code: str


@dataclass(frozen=True)
class Code:
    """Something that may be published: an observation, condition, procedure, assessment..."""

    code: str
    type: EventType
    label: str
    value: ValueType | None = None  # observation and assessment only
    unit: str | None = None  # UCUM; facts are in this unit
    values: tuple[str, ...] = ()  # of ValueType.CODE
    low: float | None = None  # outside of [low, high] the value is impossible: refused
    high: float | None = None
    codings: tuple[Coding, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Window:
    """The span up to the instant asked for, both ends included.

    Exactly one of `months` (calendar, by the site's local days) or `hours` (exact).
    """

    months: int | None = None
    hours: float | None = None


@dataclass(frozen=True)
class FactSpec:
    """How one fact is projected from the subject's events.

    `origin`: the event type; `code` the declared code (or document of a consent, or field of
    demographics); `take`: latest | min | max | any | completed_years | touches_point |
    touches_span; `given_by` for consents; `dates_count`: what is dated by its day alone counts
    wherever that day overlaps the window, for rules that rather warn too often than too seldom.
    Every declared code has a fact of its own name with take 'latest' unless the protocol's `facts`
    say otherwise.
    """

    name: str
    origin: EventType
    code: str
    value: ValueType
    take: str = "latest"
    unit: str | None = None
    values: tuple[str, ...] = ()
    window: Window | None = None
    given_by: str | None = None
    label: str = ""
    line: int = 0
    dates_count: bool = False


@dataclass(frozen=True)
class Criterion:
    """One inclusion or exclusion criterion with its verbatim text."""

    id: str
    kind: CriterionKind
    text: str
    when: Condition
    source: Source
    applicable_if: Condition = field(default_factory=lambda: Const(value=True))
    interpretation: str = ""
    waivable: bool = False
    expression: str = ""  # as written, for people
    line: int = 0


@dataclass(frozen=True)
class AlertRule:
    """One alert rule; fires when `when` is definitely true over a snapshot of its scope."""

    id: str
    scope: Scope
    category: Category
    severity: Severity
    when: Condition
    title: str
    detail: str
    action: str
    source: Source
    hold: str | None = None  # 'infusion' | 'enrolment': what must wait while it holds
    expression: str = ""
    line: int = 0


@dataclass(frozen=True)
class StoppingRule:
    """A pre-registered boundary over the trial's subjects.

    `endpoint` is over the facts of one adverse event. A subject is evaluable at its first
    endpoint, else `window_days` after its first infusion; before that it is pending.
    `table[i]` = (evaluable, stop_at): stop when so many evaluable have at least that many events.
    """

    id: str
    title: str
    method: str  # 'table'; further methods come with rules/stopping
    endpoint: Condition
    window_days: int
    table: tuple[tuple[int, int], ...]
    source: Source
    expression: str = ""
    line: int = 0


@dataclass(frozen=True)
class Expected:
    """What a scenario demands at one time; None demands nothing."""

    at: str | None
    decision: str | None
    verdicts: Mapping[str, str]
    alerts: tuple[str, ...] | None  # rule ids of the open alerts, exactly
    opened: tuple[str, ...] | None  # rule ids of all alerts ever opened, exactly
    line: int


@dataclass(frozen=True)
class Scenario:
    """A test inside the protocol file: events in, verdicts and alerts out."""

    name: str
    events: tuple[Mapping[str, object], ...]  # CloudEvents, `given` already expanded
    expect: tuple[Expected, ...]
    line: int


@dataclass(frozen=True)
class Definition:
    """The whole protocol as written, checked and typed."""

    id: str
    version: str
    title: str
    time_zone: str
    target: int
    sex: str
    outcomes: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]
    parameters: Mapping[str, Parameter]
    codes: Mapping[tuple[EventType, str], Code]
    facts: Mapping[str, FactSpec]
    criteria: tuple[Criterion, ...]
    rules: tuple[AlertRule, ...]
    stopping: tuple[StoppingRule, ...]
    scenarios: tuple[Scenario, ...]
    file: str
    digest: str  # sha256 of the text
