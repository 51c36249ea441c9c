"""Reporting clocks of a protocol: those that regulations know, by name and region, and its own.

Who comes in: schema.py with the section `clocks`. Who goes out: Clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rules.clinical.clocks import MOST_DAYS, MOST_HOURS, Template, templates
from rules.language.clauses import TRUE, Clauses, expression, source
from rules.language.conditions import compile_condition
from rules.language.parameters import resolve
from rules.language.reading import Section
from rules.language.stopping import RULE_ID
from rules.language.syntax import did_you_mean
from rules.language.vocabulary import AFTER_INFUSION, BOOLEAN, FactType
from rules.model import Clock, Condition, Due, Source
from rules.terms import Party

STOPPED_BY = ("reported_at", "submitted_at")
# What of an adverse event may be told anew; its stamps are no news of it.
NEWS = ("term", "coding", "grade", "serious", "seriousness", "causality", "expected", "outcome")
_OF_TEMPLATE = ("when", "spared_while", "from", "due", "stopped_by", "nth", "restarts_on", "to")
SHAPE = "capital letters, digits and -, as SUSAR-15"


@dataclass(frozen=True)
class Reader:
    """What a clock may name. `names`: the facts of one adverse event itself."""

    names: Mapping[str, FactType]
    clauses: Clauses
    sources: Collection[str]


def clocks(top: Section, known: Reader) -> tuple[Clock, ...]:
    """The clocks in the order of the file."""
    found: dict[str, Clock] = {}
    for item in top.sections("clocks", "the clock"):
        clock = _template(item, known) if "use" in item.node else _own(item, known)
        item.close()
        if clock is None:
            continue
        first = found.setdefault(clock.id, clock)
        if clock.id and first is not clock:
            item.complain("id", "stands twice", f"first on line {first.line}")
    return tuple(found.values())


def _own(item: Section, known: Reader) -> Clock:
    starts = item.enum("from", Party)
    label = item.text("label", required=True)
    return Clock(
        id=item.name("id", RULE_ID, SHAPE),
        label=label,
        region=item.text("region"),
        to=item.text("to", required=True),
        when=known.clauses.read(item, "when", known.names),
        starts=starts or Party.SITE,
        due=_due(item, known),
        stopped_by=item.choice("stopped_by", STOPPED_BY) or STOPPED_BY[0],
        source=source(item, known.sources),
        nth=item.integer("nth", low=1, high=9) or 1,
        restarts_on=_restarts(item),
        spared=_perhaps(item, known, "spared_while"),
        exempt=_exempt(item, known),
        expression=expression(item, "when"),
        line=item.line(),
    )


def _template(item: Section, known: Reader) -> Clock | None:
    """A clock of clocks.yaml in one of its regions; the protocol may say who is exempt."""
    every = templates()
    name = item.choice("use", tuple(every))
    regions = sorted({region for one in every.values() for region in one.regions})
    region = item.choice("region", regions)
    clock_id = item.name("id", RULE_ID, SHAPE)
    label = item.text("label")
    exempt = _exempt(item, known)
    cited = source(item, known.sources) if "source" in item.node else None
    for key in _OF_TEMPLATE:
        if item.raw(key) is not None:
            item.complain(key, f"`{key}` comes with `use`", "leave it out, or leave out `use`")
    if not name or not region:
        return None
    found = every[name]
    if region not in found.regions:
        near = did_you_mean(region, found.regions)
        told = ", ".join(found.regions)
        item.complain("region", f"`{name}` has no deadline for {region}", near or f"one of {told}")
        return None
    return _made(
        found,
        region,
        known,
        id=clock_id,
        label=label,
        exempt=exempt,
        source=cited,
        line=item.line(),
    )


def _made(found: Template, region: str, known: Reader, **own: Any) -> Clock:
    told, cited = found.told, found.regions[region]
    own["label"] = own["label"] or str(told["label"])
    own["source"] = own["source"] or Source(cited.document, cited.section, "", cited.confidence)
    spared = told.get("spared_while")
    return Clock(
        region=region,
        to=str(told["to"]),
        when=compile_condition(told["when"], known.names, {}),
        starts=Party(told["from"]),
        due=Due(**told["due"]),
        stopped_by=str(told["stopped_by"]),
        nth=int(told.get("nth", 1)),
        restarts_on=tuple(told.get("restarts_on", ())),
        spared=None if spared is None else compile_condition(spared, known.names, {}),
        template=found.name,
        expression=" ".join(str(told["when"]).split()),
        **own,
    )


def _due(item: Section, known: Reader) -> Due:
    part = item.section("due", required=True)
    if part is None:
        return Due(hours=24)
    hours = _length(part, known, "hours", "h", MOST_HOURS)
    days = _length(part, known, "calendar_days", "d", MOST_DAYS)
    if ("hours" in part.node) is ("calendar_days" in part.node):
        part.complain(None, "either `hours` or `calendar_days`", "due: {hours: 24}")
    part.close()
    return Due(hours, None if hours is not None else days or 0)


def _length(part: Section, known: Reader, key: str, unit: str, most: int) -> int | None:
    return part.whole(key, resolve(part, key, known.clauses.params, unit), 0, most)


def _restarts(item: Section) -> tuple[str, ...]:
    told = item.texts("restarts_on")
    for name in told:
        if name not in NEWS:
            near = did_you_mean(name, NEWS)
            item.complain("restarts_on", f"nothing called `{name}` is told anew", near)
    return told


def _exempt(item: Section, known: Reader) -> Condition | None:
    """Judged by what is known now, so it may say whether there was an infusion before."""
    return _perhaps(item, replace(known, names={**known.names, AFTER_INFUSION: BOOLEAN}), "exempt")


def _perhaps(item: Section, known: Reader, key: str) -> Condition | None:
    found = known.clauses.read(item, key, known.names, required=False)
    return None if found == TRUE and key not in item.node else found
