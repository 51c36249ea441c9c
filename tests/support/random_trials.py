"""Random small protocols in the whole language, and random logs whose times crowd round the edges.

A protocol is drawn as a plain dict: the engine gets it as YAML, the reference as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import assume
from hypothesis import strategies as st

import rules
from rules import state as states
from rules.replay import open_findings
from rules.subject import SubjectFold
from tests.support.engines import engine_of
from tests.support.reference.moments import DAY, HOUR, day_begins, day_of
from tests.support.reference.subject import Subject

# Zones with the local day on which their clocks move in 2026, and a leap day.
PLACES = (
    ("Asia/Seoul", "2026-03-02"),
    ("America/New_York", "2026-03-08"),  # 02:00 -> 03:00
    ("America/New_York", "2026-11-01"),  # 02:00 -> 01:00
    ("Africa/Cairo", "2026-04-24"),  # there is no midnight
    ("Australia/Lord_Howe", "2026-04-05"),  # by half an hour
    ("Europe/Berlin", "2028-02-29"),
)
SOURCE = {"document": "doc"}
CODES: list[dict[str, Any]] = [
    {
        "code": "temp",
        "type": "observation",
        "value": "number",
        "unit": "Cel",
        "low": 25,
        "high": 45,
    },
    {"code": "hb", "type": "observation", "value": "number", "unit": "g/dL", "low": 0, "high": 30},
    {"code": "colour", "type": "observation", "value": "code", "values": ["red", "green", "blue"]},
    {
        "code": "ecog",
        "type": "assessment",
        "value": "integer",
        "unit": "{score}",
        "low": 0,
        "high": 5,
    },
    {"code": "unfit", "type": "assessment", "value": "boolean"},
    {"code": "infection", "type": "condition"},
    {"code": "infarct", "type": "condition"},
    {"code": "stent", "type": "procedure"},
    {"code": "steroid", "type": "medication"},
]
CODE_LIST = [{"label": code["code"], **code} for code in CODES]
BASE_FACTS: dict[str, dict[str, Any]] = {
    "age_years": {"from": "demographics", "field": "birth_date", "take": "completed_years"},
    "sex": {"from": "demographics", "field": "sex"},
    "consent": {"from": "consent", "document": "informed_consent", "given_by": "subject"},
}
NUMBERS = {"temp": (36, 38, 39.5), "hb": (7, 8.5, 12), "ecog": (0, 2, 3)}
UNFIT = "OPS-CORRECTION-UNFIT"
INEXACT = " (exact time not recorded)"
STATUS = ("screened", "enrolled", "on_study", "followed", "dead")
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Said(NamedTuple):
    """The answers of the engine or of the reference, to be compared."""

    verdicts: Mapping[str, str]
    decision: str
    open: Mapping[tuple[str, str], str]  # (rule, entity) -> detail


@dataclass
class Fact:
    """A fact of the drawn protocol: how it is written, and what conditions may ask of it."""

    spec: dict[str, Any] | None  # None: a code's own
    kind: str  # number | boolean | code | sex
    limits: Sequence[Any] = ()
    vague: bool = False  # only rules may use it


@dataclass
class Trial:
    """One drawn protocol, compiled."""

    raw: dict[str, Any]
    zone: str
    day: date
    edges: list[int] = field(default_factory=list)

    @property
    def text(self) -> str:
        return written(self.raw)

    @property
    def protocol(self) -> rules.Protocol:
        return compiled(self.text).protocol

    @property
    def engine(self) -> rules.Engine:
        return compiled(self.text)

    def fits(self, kind: str, data: Mapping[str, Any], time_us: int) -> bool:
        return not self.protocol.checker.check(kind, data, time_us)[1]

    def run(
        self,
        log: Sequence[rules.Event],
        until: int | None = None,
        *,
        state: bytes | None = None,
        skip: int = 0,
    ) -> rules.Outcome:
        """Fold a log (its events after `skip`)."""
        return self.engine.subject_steps("t", "S-1", state, log[skip:], lambda n: log[:n], until)

    def fold(self, state: bytes, log: Sequence[rules.Event]) -> SubjectFold:
        engine = self.engine
        held = states.loads(state)
        return SubjectFold(engine.plan, engine.knowledge, "S-1", held, lambda n: log[:n])

    def said(self, outcome: rules.Outcome) -> Said:
        """What stands at the end: the checklist, and what is open with its detail."""
        view = self.engine.view(outcome.state)
        verdicts = {one["id"]: one["verdict"] for one in view["criteria"]}
        scopes = {one["id"]: one["on"] for one in self.raw["rules"]}
        found = {}
        for (rule, key), change in open_findings(outcome.results).items():
            entity = "subject" if scopes.get(rule, "subject") == "subject" else key
            found[rule, entity] = change.detail.replace(INEXACT, "")
        return Said(verdicts, view["decision"], found)

    def reference(self, log: Sequence[rules.Event], now: int) -> Subject:
        return Subject(self.raw, log, now, self.fits)


def compiled(text: str) -> rules.Engine:
    return engine_of(text, "drawn.yaml")


def written(raw: Mapping[str, Any]) -> str:
    """One key a line, so that a complaint's line says something."""
    lines = ["vigil: 1"]
    for key, value in raw.items():
        lines.append(f"{key}:")
        if isinstance(value, list):
            lines += [f"  - {json.dumps(item)}" for item in value]
        else:
            lines += [f"  {name}: {json.dumps(item)}" for name, item in value.items()]
    return "\n".join(lines) + "\n"


# --- facts ------------------------------------------------------------------------------------
WINDOWS: tuple[dict[str, Any], ...] = (
    {"hours": 24},
    {"hours": 48},
    {"days": 3},
    {"weeks": 1},
    {"calendar_days": 3},
    {"months": 1},
    {"years": 1},
    {"days": 3, "ends": "first"},
    {"hours": 24, "ends": "neither"},
    {"calendar_days": 3, "ends": "last"},
    {"calendar_days": 2, "ends": "neither"},
    {"calendar_days": [1, 3]},
    {"days": [1, 7]},
)
ANCHORS = (
    "screening",
    "consent",
    "enrolment",
    "first_infusion",
    "last_infusion",
    "infusion_2",
    "death",
)
ROUND = (
    {"days": 3, "before": "@"},
    {"days": 3, "after": "@"},
    {"days": [1, 7], "after": "@"},
    {"days": 7, "before": "@", "ends": "last"},
    {"calendar_days": [1, 3], "after": "@"},
    {"calendar_days": [-1, 2], "after": "@", "ends": "first"},
    {"calendar_days": 7, "before": "@"},
    {"months": 1, "before": "@"},
    {"since": "@"},
    {"until": "@"},
    {"since": "@", "ends": "neither"},
    {"until": "@", "ends": "neither"},
)
_LENGTHS = (24 * HOUR, 48 * HOUR, 72 * HOUR, 7 * DAY, 14 * DAY, 28 * DAY)


class Pick:
    """Draws one of some values."""

    def __init__(self, draw: Draw) -> None:
        """`draw` is Hypothesis's."""
        self.draw = draw

    def __call__(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)


def _window(pick: Pick) -> dict[str, Any]:
    """Up to now, or round an anchor."""
    if pick.chance(2):
        return {"window": pick(*WINDOWS)}
    anchor, window = pick(*ANCHORS), pick(*ROUND)
    return {"window": {key: anchor if value == "@" else value for key, value in window.items()}}


def _perhaps_window(pick: Pick) -> dict[str, Any]:
    return _window(pick) if pick.chance(2) else {}


NUMERIC = (("observation", "temp"), ("observation", "hb"), ("assessment", "ecog"))


def _numeric(pick: Pick) -> tuple[dict[str, Any], Sequence[Any]]:
    origin, code = pick(*NUMERIC)
    return {"from": origin, "code": code}, NUMBERS[code]


def _where(pick: Pick, limits: Sequence[Any]) -> dict[str, Any]:
    return {"where": f"value {pick('>=', '<', '!=')} {pick(*limits)}"}


def _total(pick: Pick) -> Fact:
    spec, limits = _numeric(pick)
    if spec["code"] == "temp":
        spec, limits = {"from": "observation", "code": "hb"}, NUMBERS["hb"]
    spec |= {"take": pick("sum", "mean"), **_perhaps_window(pick)}
    return Fact(spec | (_where(pick, limits) if pick.chance(3) else {}), "number", (7, 8, 16))


def _counted(pick: Pick) -> Fact:
    spec, limits = _numeric(pick)
    take = pick("count", "count", "consecutive")
    where = _where(pick, limits) if take == "consecutive" or pick.chance(2) else {}
    return Fact(spec | {"take": take, **_perhaps_window(pick), **where}, "number", (0, 1, 2))


def _counted_truths(pick: Pick) -> Fact:
    take = pick("count", "consecutive", "all", "any")
    spec = {"from": "assessment", "code": "unfit", "take": take, **_perhaps_window(pick)}
    return Fact(spec, "boolean" if take in {"all", "any"} else "number", (0, 1, 2))


def _single(pick: Pick) -> Fact:
    spec, limits = _numeric(pick)
    spec["take"] = pick("latest", "earliest")
    if pick.chance(3):
        spec["where"] = f"value {pick('>=', '<')} {pick(*limits)}"
    if pick.chance(2):
        spec["valid"] = pick({"days": 3}, {"hours": 24}, {"calendar_days": 2}, {"months": 1})
    if pick.chance(2):
        spec |= pick(
            {"conflict": "mean"},
            {"conflict": "worst", "worse": "high"},
            {"conflict": "worst", "worse": "low"},
            {},
        )
        spec |= pick({"within": "day"}, {"within": "instant"}, {})
        if spec.get("conflict") == "mean" and spec["code"] == "ecog":
            spec["conflict"] = "last"
    return Fact(spec | _perhaps_window(pick), "number", limits)


def _worst(pick: Pick) -> Fact:
    policy = {"conflict": "worst", "worse": ["blue", "green", "red"]}
    spec = {"from": "observation", "code": "colour", "take": pick("latest", "earliest"), **policy}
    return Fact(spec | {"within": pick("day", "instant")}, "code", ("red", "green"))


def _either(pick: Pick) -> Fact:
    spec = {"from": "assessment", "code": "unfit", "conflict": pick("any", "last"), "within": "day"}
    return Fact(spec | _perhaps_window(pick), "boolean")


def _since(pick: Pick) -> Fact:
    if pick.chance(2):
        return Fact({"take": "days_since", "anchor": pick(*ANCHORS)}, "number", (0, 3, 7))
    spec, limits = _numeric(pick)
    where = _where(pick, limits) if pick.chance(2) else {}
    return Fact(
        spec | {"take": "days_since", **_perhaps_window(pick), **where}, "number", (0, 3, 7)
    )


def _ratio(pick: Pick) -> Fact:
    spec = {"from": "observation", "code": "hb"}
    if pick.chance(2):
        spec |= {"take": "ratio_to_reference"} | pick({}, {"measure": "ratio_to_low"})
    else:
        spec |= {
            "take": pick("latest", "max", "min"),
            "measure": pick("ratio_to_high", "ratio_to_low"),
        }
        spec |= _perhaps_window(pick)
    if spec["take"] not in ("max", "min") and pick.chance(2):
        spec |= {"within": pick("day", "instant")}
        spec |= pick({"conflict": "mean"}, {"conflict": "worst", "worse": pick("high", "low")})
    return Fact(spec, "number", (0.5, 1))


def _change(pick: Pick) -> Fact:
    spec = {"from": "observation", "code": pick("temp", "hb"), "take": "change_from_baseline"}
    spec |= {"baseline": pick(*ANCHORS), "change": pick("absolute", "percent", "ratio")}
    return Fact(spec | pick({}, {"valid": {"days": 3}}), "number", (0, 1, 20))


def _absence(pick: Pick) -> Fact:
    origin, code = pick(
        ("observation", "temp"),
        ("observation", "colour"),
        ("assessment", "ecog"),
        ("condition", "infection"),
    )
    spec = {"from": origin, "code": code, "take": "absence"}
    spec |= pick({}, {"applicable_if": 'sex != "male"'})
    return Fact(spec, "code", ("recorded", "not_recorded", "refused"))


def _given(pick: Pick) -> Fact:
    where = pick({}, {"where": 'infusion_status == "completed"'}, {"where": "dose >= 2"})
    spec: dict[str, Any] = {"from": "administration", **where, **_perhaps_window(pick)}
    if pick.chance(2):
        return Fact(spec | {"take": pick("count", "days_since")}, "number", (0, 1, 2))
    return Fact(
        spec | {"field": "dose", "take": pick("sum", "max", "latest", "mean")}, "number", (1.5, 3)
    )


def _suffered(pick: Pick) -> Fact:
    where = pick(
        {},
        {"where": "grade >= 2"},
        {"where": "serious || grade == 3"},
        {"where": 'causality == "related"'},
    )
    spec: dict[str, Any] = {"from": "adverse_event", **where, **_perhaps_window(pick)}
    if pick.chance(2):
        take = pick("count", "days_since", *["count", "consecutive"] * ("where" in spec))
        return Fact(spec | {"take": take}, "number", (0, 1, 2))
    if where and pick.chance(4):
        return Fact(spec | {"take": "any"}, "boolean")
    return Fact(spec | {"field": "grade", "take": pick("max", "min", "latest")}, "number", (2, 3))


def _extreme(pick: Pick) -> Fact:
    code = pick("temp", "hb")
    vague = pick.chance(6)
    spec = {"from": "observation", "code": code, "take": pick("min", "max"), **_window(pick)}
    return Fact(spec | ({"date_only": "counts"} if vague else {}), "number", NUMBERS[code], vague)


def _ever(pick: Pick) -> Fact:
    return Fact({"from": "assessment", "code": "unfit", "take": "any", **_window(pick)}, "boolean")


def _touch(pick: Pick) -> Fact:
    origin, code = pick(
        ("condition", "infection"), ("condition", "infarct"), ("procedure", "stent")
    )
    take = pick("touches_point", "touches_span", "any")
    window = {} if take == "any" and pick.chance(2) else _window(pick)
    return Fact({"from": origin, "code": code, "take": take, **window}, "boolean")


# Expressions over the codes' facts, each with its unit; what is not defined is met often.
EXPRESSIONS = (
    ("temp * 2 - 40", "Cel"),
    ("hb / pow(ecog, 2)", "g/dL"),
    ("ln(ecog) + 1", None),
    ("round(hb / 3)", "g/dL"),
    ("max(hb, 8) - min(hb, 10)", "g/dL"),
    ("abs(temp - 38) / (ecog - 2)", "Cel"),
    ("-hb + params.limit / 4", "g/dL"),
    ("(140 - age_years) * 0.85", "a"),
)


def _arithmetic(pick: Pick) -> Fact:
    text, unit = pick(*EXPRESSIONS)
    spec = {"derive": text} | ({"unit": unit} if unit else {})
    return Fact(spec, "number", (0, 2, 8))


def _together(pick: Pick) -> Fact:
    texts = ("infection || unfit", "ecog > ln(hb) && !stent", 'temp >= 38 || colour == "red"')
    return Fact({"derive": pick(*texts, "unfit && has(facts.hb)")}, "boolean")


def _cases(pick: Pick) -> Fact:
    first = {"when": pick('sex == "female"', "ecog > 1 || unfit"), "value": pick(0.5, 2)}
    second = {"when": pick('sex == "male"', "hb < 8", "age_years >= 46"), "value": pick(0.5, 1)}
    cases = [first, second][: pick(1, 2)]
    rest = pick({"otherwise": 1}, {"otherwise": {"derive": "hb * 2"}, "unit": "g/dL"})
    return Fact({"cases": cases, **rest}, "number", (1, 2))


def _words(pick: Pick) -> Fact:
    first = {"when": pick("temp >= 38", "infection"), "value": "red"}
    second = {"when": pick("unfit", "ecog in [0, 2]"), "value": pick("red", "green")}
    return Fact({"cases": [first, second], "otherwise": "green"}, "code", ("red", "green"))


FAMILIES: list[Callable[[Pick], Fact]] = [
    *(_extreme, _ever, _touch),
    *(_arithmetic, _together, _cases, _words),
    *(_total, _counted, _counted_truths, _single, _worst, _either, _since),
    *(_ratio, _change, _absence, _given, _suffered),
]


def _own() -> dict[str, Fact]:
    kinds = {"number": "number", "integer": "number", "code": "code"}
    found = {
        one["code"]: Fact(
            None,
            kinds.get(one.get("value", ""), "boolean"),
            NUMBERS.get(one["code"], one.get("values", ())),
        )
        for one in CODES
    }
    found["age_years"] = Fact(BASE_FACTS["age_years"], "number", (18, 46, 80))
    found["sex"] = Fact(BASE_FACTS["sex"], "code", ("female", "male"))
    found["consent"] = Fact(BASE_FACTS["consent"], "boolean")
    return found


# --- conditions -------------------------------------------------------------------------------
def _leaf(pick: Pick, name: str, fact: Fact) -> str:
    if pick.chance(8):
        return f"has(facts.{name})"
    if fact.kind == "boolean":
        return str(pick(name, f"!{name}"))
    limit = pick(*fact.limits)
    if fact.kind == "code":
        chosen = pick(f'{name} == "{limit}"', f'{name} != "{limit}"')
        return str(pick(chosen, f"{name} in {json.dumps(list(fact.limits)[:2])}"))
    return f"{name} {pick('<', '<=', '>', '>=', '==', '!=')} {limit}"


def condition(pick: Pick, facts: Mapping[str, Fact], depth: int = 2) -> str:
    """Each fact at most once, for what can never hold does not load."""
    pool = pick.draw(st.permutations(sorted(facts)))
    return _tree(pick, facts, pool, depth)


def _tree(pick: Pick, facts: Mapping[str, Fact], pool: list[str], depth: int) -> str:
    if depth == 0 or pick.chance(3):
        name = pool.pop()
        return _leaf(pick, name, facts[name])
    if pick.chance(5):
        return f"!({_tree(pick, facts, pool, depth - 1)})"
    count = min(len(pool) // (1 << (depth - 1)), pick(2, 2, 3))
    if count < 2:
        return _tree(pick, facts, pool, 0)
    parts = [_tree(pick, facts, pool[place::count], depth - 1) for place in range(count)]
    return "(" + pick(" && ", " || ").join(parts) + ")"


# --- protocols --------------------------------------------------------------------------------
@st.composite
def trials(draw: Draw) -> Trial:
    """A small protocol with a few facts of every kind that the language has."""
    pick = Pick(draw)
    zone, day = pick(*PLACES)
    facts = _own()
    for number in range(1, pick(2, 3, 4) + 1):
        facts[f"f{number}"] = pick(*FAMILIES)(pick)
    sharp = {name: fact for name, fact in facts.items() if not fact.vague}
    asked = [f"f{n}" for n in range(1, 5) if f"f{n}" in facts]
    codes = [_perhaps(pick, {**code}) for code in CODE_LIST]
    raw = {
        "protocol": {
            "id": "drawn",
            "version": "1",
            "title": "Drawn",
            "time_zone": zone,
            "target": 2,
            "sex": "all",
            "outcomes": {"primary": ["x"], "secondary": []},
            "sources": {"doc": "A document"},
        },
        "parameters": {"limit": {"value": 38, "source": "doc"}},
        "codes": codes,
        "facts": {name: fact.spec for name, fact in facts.items() if fact.spec is not None},
        "criteria": [_criterion(pick, n, sharp) for n in range(1, pick(1, 2, 3) + 1)],
        "rules": _rules(pick, facts, asked),
    }
    trial = Trial(raw, zone, date.fromisoformat(day), list(_LENGTHS))
    assume(_loads(trial))
    return trial


def _perhaps(pick: Pick, spec: dict[str, Any]) -> dict[str, Any]:
    """Now and then a code applies to some subjects only."""
    if spec["code"] in {"ecog", "colour", "stent"} and pick.chance(4):
        spec["applicable_if"] = pick('sex != "male"', "!infection", "temp < 38", "age_years >= 18")
    return spec


def _loads(trial: Trial) -> bool:
    """Whether it is a protocol; some conditions drawn can never hold, and are refused."""
    try:
        compiled(trial.text)
    except rules.ProtocolError as error:
        refused = [one.message for one in error.complaints]
        assert all("never" in one or "always" in one for one in refused), refused
        return False
    return True


def _criterion(pick: Pick, number: int, facts: Mapping[str, Fact]) -> dict[str, Any]:
    kind = pick("inclusion", "exclusion")
    names = pick.draw(st.sets(st.sampled_from(sorted(facts)), min_size=2, max_size=5))
    some = {name: facts[name] for name in sorted(names)}
    made = {
        "id": f"{kind[0].upper()}{number}",
        "kind": kind,
        "text": f"Criterion {number}",
        "when": condition(pick, some),
        "source": SOURCE,
    }
    if pick.chance(3):
        made["applicable_if"] = condition(pick, facts, 1)
    return made | ({"waivable": True} if number == 1 else {})


def _rules(pick: Pick, facts: Mapping[str, Fact], asked: Sequence[str]) -> list[dict[str, Any]]:
    """Three that tell every fact as of their moments, and random ones."""
    names = [*asked, "temp", "age_years", "ecog", "infection", "sex", "consent"]
    every = " ".join(
        f"{name}={{{name}}}" for name in (*names, "screened", "enrolled", "infusions", "dead")
    )
    told = [
        _rule(f"TELL-{scope.upper()}", scope, "infusions < 1000", detail=every)
        for scope in ("subject", "enrolment", "infusion")
    ]
    adverse = (
        "grade >= 3",
        "serious",
        "onset_after_infusion && grade >= 2",
        "!has(facts.causality)",
    )
    told.append(_rule("TELL-AE", "adverse_event", pick(*adverse), detail="{grade} {causality}"))
    told.append(_rule("TELL-DEATH", "death", "true", detail="{causality}"))
    status = {name: Fact(None, "boolean") for name in STATUS}
    for number in range(1, pick(1, 2) + 1):
        scope = pick("subject", "subject", "enrolment", "infusion")
        told.append(_rule(f"R-{number}", scope, condition(pick, {**facts, **status})))
    return told


def _rule(name: str, scope: str, when: str, detail: str = "") -> dict[str, Any]:
    return {
        "id": name,
        "on": scope,
        "category": "safety",
        "severity": "serious",
        "when": when,
        "title": name,
        "detail": detail,
        "action": "Look.",
        "source": SOURCE,
    }


# --- logs -------------------------------------------------------------------------------------
OFTEN = {
    "observation": 7,
    "assessment": 3,
    "condition": 3,
    "procedure": 1,
    "medication": 1,
    "administration": 2,
    "adverse_event": 2,
    "enrolment": 3,
    "consent": 1,
    "demographics": 2,
    "override": 1,
    "death": 1,
}
KINDS = [kind for kind, times in OFTEN.items() for _ in range(times)]


class Teller:
    """Makes up what is told."""

    def __init__(self, pick: Pick, trial: Trial) -> None:
        """Dates crowd round the trial's day."""
        self.pick, self.trial = pick, trial

    def day(self) -> str:
        """A partial date near the time of the trial."""
        back = self.pick(0, 0, 1, 2, 3, 7, 14, 28, 31, 59)
        text = (self.trial.day - timedelta(days=back)).isoformat()
        return text[: self.pick(10, 10, 10, 7, 4)]

    def data(self, kind: str) -> dict[str, Any]:
        made: dict[str, Any] = getattr(self, kind)()
        return made

    def canonical(self, kind: str, time_us: int) -> dict[str, Any]:
        """As the door makes it."""
        made, problems = self.trial.protocol.checker.check(kind, self.data(kind), time_us)
        assert problems == [], (kind, made, problems)
        return made

    def observation(self) -> dict[str, Any]:
        pick = self.pick
        if pick.chance(8):
            return {
                "code": pick("temp", "hb", "colour"),
                "absent": pick("not_done", "unknown", "refused"),
            }
        told = pick(
            ("temp", 36, "Cel"), ("temp", 38.0, "Cel"), ("temp", 39.5, "Cel"), ("temp", 100.4, "[degF]"), ("temp", 311.15, "K"),
            ("hb", 7, "g/dL"), ("hb", 8.5, "g/dL"), ("hb", 85, "g/L"), ("hb", 12, "g/dL"),
            ("colour", "red", None), ("colour", "blue", None),
        )  # fmt: skip
        made: dict[str, Any] = {"code": told[0], "value": told[1]}
        if told[2] and pick.chance(4):
            made["baseline"] = True
        if told[2] and told[0] == "hb" and pick.chance(2):
            factor = 10 if told[2] == "g/L" else 1
            made |= {"reference_low": 8 * factor, "reference_high": 16 * factor}
        return made | ({"unit": told[2]} if told[2] else {})

    def assessment(self) -> dict[str, Any]:
        pick = self.pick
        if pick.chance(2):
            return {"code": "unfit", "value": pick(True, False)}
        made = {"code": "ecog", "value": pick(0, 2, 3)}
        if pick.chance(3):
            made["expires"] = (self.trial.day + timedelta(days=pick(0, 1, 3, 14))).isoformat()
        return made

    def condition(self) -> dict[str, Any]:
        pick = self.pick
        status = pick("active", "active", "resolved", "absent", "suspected")
        made = {"code": pick("infection", "infarct"), "status": status}
        if status == "active":
            made["onset"] = self.day()
        if status == "resolved" and pick.chance(2):
            made["abatement"] = self.day()
        return made

    def procedure(self) -> dict[str, Any]:
        made = {"code": "stent", "status": self.pick("done", "done", "not_done")}
        return made | ({"start": self.day()} if self.pick.chance(2) else {})

    def medication(self) -> dict[str, Any]:
        return {"code": "steroid", "status": self.pick("started", "tapering", "stopped")}

    def administration(self) -> dict[str, Any]:
        pick = self.pick
        made = {
            "number": pick(1, 2),
            "status": pick("completed", "completed", "interrupted", "not_done"),
        }
        made |= {"dose": pick(1.5, 2, 3)} if pick.chance(2) else {}
        start = self.trial.day.isoformat()[: pick(10, 10, 7)]
        return made | ({"start": start} if pick.chance(4) else {})

    def adverse_event(self) -> dict[str, Any]:
        pick = self.pick
        more: tuple[dict[str, Any], ...] = (
            {},
            {"grade": 3},
            {"grade": 2},
            {"grade": None},
            {"causality": "related"},
            {"serious": True},
        )
        made = (
            {"ae": pick("A", "B")}
            | pick(*more)
            | pick({}, {"causality": None}, {"status": "withdrawn"})
        )
        return made | ({"onset": self.day()} if pick.chance(3) else {})

    def enrolment(self) -> dict[str, Any]:
        return {
            "status": self.pick(
                "screened", "screened", "enrolled", "enrolled", "withdrawn", "completed"
            )
        }

    def consent(self) -> dict[str, Any]:
        given = self.pick("given", "given", "withdrawn")
        return {"document": "informed_consent", "given_by": "subject", "status": given}

    def demographics(self) -> dict[str, Any]:
        pick, day = self.pick, self.trial.day
        near = f"{day.year - 18}-{day.month:02}-{day.day:02}"
        if (day.month, day.day) == (2, 29):
            near = f"{day.year - 18}-02-28"
        births = ("1980-06-15", "2008-02-29", "2010", "1946", "1980", near, near[:7])
        return {"birth_date": pick(*births), "sex": pick("female", "male", "unknown")}

    def override(self) -> dict[str, Any]:
        first = self.trial.raw["criteria"][0]["id"]
        made = {"criterion": first, "by": "the investigator", "reason": "r"}
        until = (self.trial.day + timedelta(days=self.pick(1, 3))).isoformat()
        return made | ({"expires": until} if self.pick.chance(2) else {})

    def death(self) -> dict[str, Any]:
        return {"causality": self.pick("related", "unrelated")}


@st.composite
def logs(draw: Draw, trial: Trial, most: int = 18, repairs: bool = True) -> list[rules.Event]:
    """A log in order of receipt; times lie where windows from other times end, and beside that."""
    pick = Pick(draw)
    teller = Teller(pick, trial)
    begin = day_begins(trial.zone, trial.day - timedelta(days=pick(1, 20))) + 9 * HOUR
    received, times = begin, [begin]
    log: list[rules.Event] = []
    for n in range(1, draw(st.integers(1, most)) + 1):
        received = max(received, _moment(pick, trial, times, received))
        if repairs and n > 2 and pick.chance(7):
            log.append(_repair(pick, teller, n, received, log))
            continue
        kind = pick(*KINDS)
        at = min(received, _moment(pick, trial, times, received, back=True))
        precision = "second"
        if pick.chance(5):
            precision = pick("day", "day", "day", "month")
            first = day_of(trial.zone, at)
            at = day_begins(trial.zone, first.replace(day=1) if precision == "month" else first)
        times.append(at)
        log.append(_event(trial, n, kind, at, received, precision, teller.canonical(kind, at)))
    return log


def _moment(
    pick: Pick, trial: Trial, times: Sequence[int], received: int, *, back: bool = False
) -> int:
    """Just now; or a window's length from something told before, a microsecond more or less."""
    if pick.chance(2):
        return received - (pick(0, 0, 1, HOUR, 20 * HOUR) if back else -pick(0, HOUR, 30 * HOUR))
    length = pick(*trial.edges) + pick(-1, 0, 0, 1)
    from_us = pick(*times[-4:])
    return int(from_us - length if back and pick.chance(2) else from_us + length)


def _event(
    trial: Trial, n: int, kind: str, at: int, received: int, precision: str, data: dict[str, Any]
) -> rules.Event:
    return rules.Event(n, f"ev{n}", "lab", f"e{n}", kind, at, precision, received, data)


def _repair(
    pick: Pick, teller: Teller, n: int, received: int, log: Sequence[rules.Event]
) -> rules.Event:
    """A correction of something told, of another correction, or of what is yet to come."""
    target = pick(*log)
    name = {"source": "lab", "id": target.id}
    if pick.chance(6):
        name = {"source": "lab", "id": f"e{n + pick(1, 2)}"}
        said: dict[str, Any] = {"entered_in_error": True}
    elif pick.chance(3) or target.type == "correction":
        said = {"entered_in_error": True}
    else:
        said = {"data": teller.data(target.type)} if pick.chance(2) else {}
        if not said or pick.chance(3):
            moved = datetime.fromtimestamp(0, ZoneInfo(teller.trial.zone)) + timedelta(
                microseconds=target.time_us - pick(0, 1, HOUR, 24 * HOUR)
            )
            said["time"] = moved.isoformat()
    return rules.Event(
        n,
        f"ev{n}",
        "lab",
        f"e{n}",
        "correction",
        received,
        "second",
        received,
        {"corrects": name, **said},
    )
