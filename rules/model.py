"""A protocol as typed, frozen data: what the language module makes and all others read.

Who comes in: rules/language (maker), facts, assessment, knowledge, step, trial (readers).
Nothing here computes but the boundary of a stopping rule, which is asked of rules/stopping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rules.stopping.bounds import Boundary, boundary
from rules.stopping.design import Design
from rules.terms import (
    AmendmentKind,
    Category,
    ChangeKind,
    Conflict,
    CriterionKind,
    Deviation,
    Ends,
    Evaluable,
    EventType,
    Hold,
    Measure,
    Party,
    Pending,
    Relate,
    Scope,
    Severity,
    Take,
    Unit,
    ValueType,
    WindowFrom,
    WindowUnit,
)

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


# --- expressions of derived facts -------------------------------------------------------------
@dataclass(frozen=True)
class Num:
    """A number."""

    value: float


@dataclass(frozen=True)
class Name:
    """The value of a numeric fact."""

    fact: str


@dataclass(frozen=True)
class Arith:
    """`left op right`; op is one of + - * /. Division by zero is unknown."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Call:
    """min, max, abs, pow, ln or round of numbers; what is undefined is unknown."""

    function: str
    arguments: tuple[Expression, ...]


Expression = Num | Name | Arith | Call


@dataclass(frozen=True)
class Clinical:
    """A function of rules/clinical/functions.py; `arguments`: the fact that stands for each."""

    function: str
    arguments: tuple[tuple[str, Name], ...]


@dataclass(frozen=True)
class Test:
    """`left op right` of two expressions: a derived boolean of its own.

    Where one stands inside a larger condition, the language declares a fact for it.
    """

    left: Expression
    op: str
    right: Expression


Derivable = Expression | Condition | Test | Clinical | str


@dataclass(frozen=True)
class Case:
    """`value` where `when` holds; a condition as value is a boolean, a text a code."""

    when: Condition
    value: Derivable


@dataclass(frozen=True)
class Derivation:
    """The first case that definitely holds, else `otherwise`; None: unknown.

    A case that is unknown makes the whole unknown, unless all cases still possible agree. A plain
    expression is an `otherwise` without cases. `expression`: as written.
    """

    cases: tuple[Case, ...]
    otherwise: Derivable | None
    expression: str = ""


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
    unit: str | None = None  # UCUM; a comparison converts into the fact's


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
    molar_mass: float | None = None  # g/mol: lets mass and amount convert
    aliases: Mapping[str, str] = field(default_factory=dict)  # a publisher's spelling -> UCUM
    ctcae: str = ""  # the analyte of the CTCAE dictionary that it is; its values are graded
    # Of an assessment of several scores at once: each with the least and the most it may be.
    scores: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Window:
    """A span of clinical time around an anchor.

    `low` and `high` are offsets of its ends from the anchor in `unit`, negative before it; None:
    no end on that side. Calendar units reach from the first to the last instant of local days.
    `anchor` None: the moment asked for. Else `screening`, `consent`, `enrolment`,
    `first_infusion`, `last_infusion`, `infusion_<n>`, `death`, or a fact's name: the time of the
    record behind its value.
    """

    unit: WindowUnit
    low: float | None
    high: float | None = 0
    anchor: str | None = None
    ends: Ends = Ends.BOTH


@dataclass(frozen=True)
class Listed:
    """What the reference safety information expects: these terms up to a grade.

    `terms` are folded (rules/clinical/adverse.py). `since`, `until`: local days on which it came
    into force and was replaced; '' is no limit.
    """

    terms: frozenset[str]
    max_grade: int | None = None  # None: whatever its grade
    fatal: bool = False  # a fatal outcome is listed too
    since: str = ""
    until: str = ""
    source: Source | None = None

    def in_force(self, day: str) -> bool:
        """Whether it counted on that local day, as ISO 8601."""
        return self.since <= day and (not self.until or day < self.until)


@dataclass(frozen=True)
class EventGroup:
    """Adverse events of one kind, by folded terms or by `system|code`."""

    name: str
    label: str
    terms: frozenset[str]
    codings: frozenset[str] = frozenset()
    source: Source | None = None


@dataclass(frozen=True)
class Reference:
    """Against what adverse events are read. `listed` None: the protocol declares no expectation."""

    listed: tuple[Listed, ...] | None = None
    groups: tuple[EventGroup, ...] = ()


@dataclass(frozen=True)
class LiverRule:
    """The limits of Hy's law and of eDISH; `tests`: what each code of the fact is, in their order.

    Multiples are of the upper limit of normal, after an abnormal baseline of that. `at_absolute`
    is in the unit of the transaminases' codes. Sources: rules/clinical/hys_law.py.
    """

    tests: tuple[str, ...] = ("alt", "ast", "bilirubin", "alp")
    at_times: float = 3
    bilirubin_times: float = 2
    alp_times: float = 2
    window_days: int = 14
    before_days: int = 0
    alp_within_days: int = 7
    at_over_baseline: float = 3
    at_absolute: float | None = 300
    bilirubin_over_baseline: float = 4.8


@dataclass(frozen=True)
class FactSpec:
    """How one fact is projected from the subject's events, or derived from other facts.

    `origin`: the event type, None for derived facts and for `days_since` an `anchor`; `code`: the
    declared code (or document of a consent, or field of demographics), `also`: further codes whose
    records are pooled with its. `field`: what of an administration or adverse event. `where`: only
    records for which it is definitely true; it names `value`, or the entity's facts.
    `dates_count`: what is dated by its day alone counts wherever that day overlaps the window, for
    rules that rather warn too often than too seldom. `valid`: how long the latest holds, as a
    window up to the moment asked for. Every declared code has a fact of its own name with take
    'latest' unless the protocol's `facts` say otherwise.
    """

    name: str
    origin: EventType | None
    code: str
    value: ValueType
    take: Take = Take.LATEST
    unit: str | None = None
    values: tuple[str, ...] = ()
    window: Window | None = None
    given_by: str | None = None
    label: str = ""
    line: int = 0
    dates_count: bool = False
    also: tuple[str, ...] = ()
    field: str | None = None
    where: Condition | None = None
    measure: Measure = Measure.VALUE
    baseline: str | None = None  # an anchor
    change: ChangeKind = ChangeKind.ABSOLUTE
    valid: Window | None = None
    conflict: Conflict = Conflict.LAST
    worse: tuple[str, ...] = ()  # ('high',), ('low',) or the values from best to worst
    within_day: bool = False  # records of one local day are of one time
    applicable_if: Condition | None = None
    anchor: str | None = None
    derived: Derivation | None = None
    molar_mass: float | None = None  # g/mol, of the code: lets mass and amount convert
    # Of a code that stands for several things: each coding it is told by; filled by the engine.
    identities: tuple[str, ...] = ()
    reference: Reference = Reference()  # of facts over adverse events; filled by the engine
    liver: LiverRule | None = None  # of `hys_law` and `edish`
    score: str | None = None  # which one, of an assessment of several

    @property
    def finds(self) -> bool:
        """Whether its value is a clinical finding in words, as `not_evaluable`, not a datum."""
        if self.derived is not None:
            return isinstance(self.derived.otherwise, Clinical)
        return self.liver is not None


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
    # As written, before facts that do not apply were written into `when` and `applicable_if`.
    stated: Condition | None = None
    stated_if: Condition | None = None
    lines: Mapping[str, int] = field(default_factory=dict)  # of its keys


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
    # Infusion: what must wait while it holds. Else the trial is held at once, until two resume it.
    hold: Hold | None = None
    expression: str = ""
    line: int = 0
    stated: Condition | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    deviation: Deviation | None = None  # what it tells of is a departure from the protocol


@dataclass(frozen=True)
class Crossing:
    """What reaching a stopping boundary does."""

    hold: Hold | None  # enrolment or trial; None: nothing waits
    notify: tuple[str, ...] = ()  # roles
    safety_board: bool = False  # whether the safety board has to meet


@dataclass(frozen=True)
class StoppingRule:
    """A pre-registered boundary over the trial's subjects.

    `endpoint` is over whatever a rule about one adverse event, or about the subject, may name
    (`on`). A unit is pending until it is evaluable: `window_days` after its start, or at its first
    endpoint. Only subjects count of whom `among` definitely holds: a cohort, an arm.
    """

    id: str
    title: str
    endpoint: Condition
    window_days: int
    design: Design
    source: Source
    expression: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)
    among: Condition | None = None  # over the subject as of its first infusion; None: everybody
    among_expression: str = ""
    on: Scope = Scope.ADVERSE_EVENT  # or SUBJECT: the endpoint is over its facts now
    unit: Unit = Unit.SUBJECT
    window_from: WindowFrom = WindowFrom.FIRST_INFUSION  # without meaning for infusions
    planned_infusions: int | None = None  # so many given: the last one is known
    evaluable: Evaluable = Evaluable.AT_EVENT
    pending: Pending = Pending.WAIT
    crossing: Crossing | None = None  # None: said by the rules that name what was reached

    @property
    def method(self) -> str:
        """How its boundary is made."""
        return self.design.method.value

    @cached_property
    def bound(self) -> Boundary:
        """Its boundary; computed when first asked for, for few processes ask."""
        return boundary(self.design)

    @property
    def table(self) -> tuple[tuple[int, int], ...]:
        """(evaluable, stop_at): stop when so many evaluable have at least that many events."""
        return self.design.table or self.bound.rows

    @property
    def exposure(self) -> tuple[tuple[int, float], ...]:
        """(d, u) of time-to-event and TITE rules: the d-th event stops where exposure is u or less.

        In days, of TITE in effective subjects; empty for binary rules.
        """
        return () if self.design.table else self.bound.exposure


@dataclass(frozen=True)
class Repeat:
    """The same adverse event, by its term, in several subjects."""

    id: str
    title: str
    when: Condition  # over one adverse event
    subjects: int  # from so many on it is reached
    source: Source
    expression: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseRate:
    """Who of the evaluable subjects responded; both conditions are over the subject now."""

    id: str
    title: str
    evaluable_when: Condition
    responder_when: Condition
    source: Source
    evaluable_expression: str = ""
    responder_expression: str = ""
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """One visit of the schedule; its id is also the code of the procedure that says it was.

    Due `day` local days after the anchor's, from `early_days` before to `late_days` after.
    """

    id: str
    label: str
    anchor: str
    day: int
    early_days: int
    late_days: int
    source: Source
    collects: tuple[str, ...] = ()  # codes
    owner: str = ""
    applicable_if: Condition | None = None
    line: int = 0
    administration: int | None = None  # the infusion that it is; None: a procedure of its id


@dataclass(frozen=True)
class Relation:
    """Another entity that a rule about one may speak of: its facts bear `name` as prefix."""

    name: str
    on: Scope
    to: Scope
    take: Relate
    within: Window | None = None
    line: int = 0


@dataclass(frozen=True)
class Due:
    """How long after its start a report is due: exact hours, or whole days after day 0."""

    hours: int | None = None
    calendar_days: int | None = None


@dataclass(frozen=True)
class Clock:
    """A report that is due so long after somebody became aware of something.

    Every condition is over the facts of one adverse event. It starts where `when` becomes true and
    runs until it is false; with `restarts_on` it starts only at later changes of those fields.
    `spared`: while this has held ever since it started, another clock asks for the report.
    """

    id: str
    label: str
    region: str
    to: str  # to whom the report is made
    when: Condition
    starts: Party
    due: Due
    stopped_by: str  # the field that tells when the report was made
    source: Source
    nth: int = 1  # the so-many-th report stops it
    restarts_on: tuple[str, ...] = ()
    spared: Condition | None = None
    exempt: Condition | None = None
    template: str = ""
    expression: str = ""
    line: int = 0


@dataclass(frozen=True)
class Product:
    """What is infused. `weight`: the fact, in a unit of mass, by which a dose per kg is told."""

    name: str
    dose_unit: str  # UCUM; doses are told in it
    weight: str | None = None


@dataclass(frozen=True)
class Amendment:
    """What a version changes of an earlier one."""

    version: str
    kind: AmendmentKind
    summary: str
    reconsent_within_days: int | None = None


@dataclass(frozen=True)
class Expected:
    """What a scenario demands at one time; None demands nothing."""

    at: str | None
    decision: str | None
    verdicts: Mapping[str, str]
    alerts: tuple[str, ...] | None  # rule ids of the open alerts, exactly
    opened: tuple[str, ...] | None  # rule ids of all alerts ever opened, exactly
    line: int
    facts: Mapping[str, Scalar | None] = field(default_factory=dict)  # None: unknown
    missing: tuple[str, ...] | None = None  # facts that keep the decision open, exactly
    about: tuple[str, ...] = ()  # rule ids, or beginnings of some as S-*; none: every rule

    def concerns(self, rule: str) -> bool:
        """Whether `alerts` and `opened` speak of this rule."""
        return not self.about or any(
            rule.startswith(word[:-1]) if word.endswith("*") else rule == word
            for word in self.about
        )


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
    schedule: tuple[Visit, ...] = ()
    relations: Mapping[str, Relation] = field(default_factory=dict)
    aliases: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # publisher -> units
    amends: Amendment | None = None
    consent_version: str | None = None
    # With conditions as they stand in the file, where facts that do not apply changed any.
    as_written: Definition | None = None
    # Of a merged definition (rules/versions/merging.py): whose criteria these are; None: its own.
    criteria_version: str | None = None
    reference: Reference = Reference()  # what adverse events are read against
    repeats: tuple[Repeat, ...] = ()
    response: tuple[ResponseRate, ...] = ()
    clocks: tuple[Clock, ...] = ()
    sponsor_time_zone: str = ""  # in which the days of clocks end; "": the trial's
    dictionaries: Mapping[str, str] = field(default_factory=dict)  # ctcae -> its version
    # What keeps an infusion out while it holds; of a criterion `when` is the item's `closed_when`.
    gate: tuple[Criterion, ...] = ()
    product: Product | None = None
