"""A protocol as plain data.

Who comes in: show. Who goes out: dicts, lists and scalars, in the words of the file.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rules.language.vocabulary import scopes_of
from rules.language.written import written
from rules.model import (
    AlertRule,
    Amendment,
    Clock,
    Code,
    Condition,
    Const,
    Criterion,
    EventGroup,
    FactSpec,
    Parameter,
    Reference,
    Relation,
    Repeat,
    ResponseRate,
    Source,
    StoppingRule,
    Visit,
    Window,
)
from rules.protocol import Protocol
from rules.show import stopping
from rules.terms import Ends

Json = dict[str, Any]


def as_json(protocol: Protocol) -> Json:
    """Every code, coding, fact, type, unit, criterion, rule."""
    it = protocol.definition
    it = it.as_written or it
    return {
        "id": it.id,
        "version": it.version,
        "digest": it.digest,
        "title": it.title,
        "time_zone": it.time_zone,
        "target": it.target,
        "sex": it.sex,
        "outcomes": {key: list(texts) for key, texts in it.outcomes.items()},
        "sources": dict(it.sources),
        "parameters": [_parameter(item) for item in it.parameters.values()],
        "codes": [_code(item) for item in it.codes.values()],
        "facts": [_fact(item) for item in it.facts.values()],
        "scope_facts": _scope_facts(protocol),
        "criteria": [_criterion(item) for item in it.criteria],
        "rules": [_rule(item) for item in it.rules],
        "stopping": [_stopping(item) for item in it.stopping],
        "schedule": [_visit(item) for item in it.schedule],
        "sponsor_time_zone": it.sponsor_time_zone or it.time_zone,
        "clocks": [_clock(item) for item in it.clocks],
        "gate": [_gate_item(item) for item in it.gate],
        "product": None
        if it.product is None
        else {
            "name": it.product.name,
            "dose_unit": it.product.dose_unit,
            "weight": it.product.weight,
        },
        "relations": [_relation(item) for item in it.relations.values()],
        "repeats": [_repeat(item) for item in it.repeats],
        "response": [_response(item) for item in it.response],
        "event_groups": [_group(item) for item in it.reference.groups],
        "reference_safety": _listed(it.reference),
        "publishers": [
            {"source": source, "unit_aliases": dict(units)} for source, units in it.aliases.items()
        ],
        "amends": None if it.amends is None else _amendment(it.amends),
        "consent_version": it.consent_version or it.version,
        "dictionaries": dict(it.dictionaries),
        "scenarios": [item.name for item in it.scenarios],
    }


def _gate_item(item: Criterion) -> Json:
    return {
        "id": item.id,
        "text": item.text,
        "closed_when": item.expression,
        "applicable_if": _condition(item.applicable_if),
        "interpretation": item.interpretation,
        "source": _source(item.source),
    }


def _clock(item: Clock) -> Json:
    return {
        "id": item.id,
        "template": item.template or None,
        "region": item.region or None,
        "label": item.label,
        "to": item.to,
        "when": item.expression,
        "spared_while": _condition(item.spared),
        "exempt": _condition(item.exempt),
        "from": item.starts.value,
        "due": {"hours": item.due.hours, "calendar_days": item.due.calendar_days},
        "stopped_by": item.stopped_by,
        "nth": item.nth,
        "restarts_on": list(item.restarts_on),
        "source": _source(item.source),
    }


def _response(item: ResponseRate) -> Json:
    return {
        "id": item.id,
        "title": item.title,
        "evaluable": item.evaluable_expression,
        "responder": item.responder_expression,
        "source": _source(item.source),
    }


def _repeat(item: Repeat) -> Json:
    return {
        "id": item.id,
        "title": item.title,
        "when": item.expression,
        "subjects": item.subjects,
        "source": _source(item.source),
    }


def _group(item: EventGroup) -> Json:
    return {
        "name": item.name,
        "label": item.label,
        "terms": sorted(item.terms),
        "codings": sorted(item.codings),
        "source": None if item.source is None else _source(item.source),
    }


def _listed(reference: Reference) -> list[Json] | None:
    if reference.listed is None:
        return None
    return [
        {
            "terms": sorted(item.terms),
            "max_grade": item.max_grade,
            "fatal": item.fatal,
            "from": item.since or None,
            "until": item.until or None,
            "source": None if item.source is None else _source(item.source),
        }
        for item in reference.listed
    ]


def _visit(item: Visit) -> Json:
    return {
        "id": item.id,
        "label": item.label,
        "after": item.anchor,
        "administration": item.administration,
        "day": item.day,
        "early_days": item.early_days,
        "late_days": item.late_days,
        "collects": list(item.collects),
        "owner": item.owner,
        "applicable_if": _condition(item.applicable_if),
        "source": _source(item.source),
    }


def _relation(item: Relation) -> Json:
    return {
        "name": item.name,
        "on": item.on.value,
        "to": item.to.value,
        "take": item.take.value,
        "within": _window(item.within),
    }


def _amendment(item: Amendment) -> Json:
    return {
        "version": item.version,
        "kind": item.kind.value,
        "summary": item.summary,
        "reconsent_within_days": item.reconsent_within_days,
    }


def _parameter(item: Parameter) -> Json:
    return {
        "name": item.name,
        "value": item.value,
        "unit": item.unit,
        "source": item.source,
        "reason": item.reason,
    }


def _code(item: Code) -> Json:
    return {
        "code": item.code,
        "type": item.type.value,
        "label": item.label,
        "value": item.value.value if item.value else None,
        "unit": item.unit,
        "values": list(item.values),
        "low": item.low,
        "high": item.high,
        "codings": [{"system": c.system, "code": c.code} for c in item.codings],
        "molar_mass": item.molar_mass,
        "aliases": dict(item.aliases),
        "ctcae": item.ctcae or None,
        "scores": {name: list(span) for name, span in item.scores.items()},
    }


def _fact(item: FactSpec) -> Json:
    return {
        "fact": item.name,
        "label": item.label,
        "type": item.value.value,
        "unit": item.unit,
        "values": list(item.values),
        "from": item.origin and item.origin.value,
        "code": item.code,
        "also": list(item.also),
        "field": item.field,
        "score": item.score,
        "where": _condition(item.where),
        "measure": item.measure.value,
        "take": item.take.value,
        "baseline": item.baseline,
        "change": item.change.value,
        "window": _window(item.window),
        "valid": _window(item.valid),
        "conflict": item.conflict.value,
        "worse": list(item.worse),
        "within": "day" if item.within_day else "instant",
        "applicable_if": _condition(item.applicable_if),
        "date_only": "counts" if item.dates_count else "unknown",
        "given_by": item.given_by,
        "anchor": item.anchor,
        "derived": item.derived.expression if item.derived is not None else None,
        "liver": None if item.liver is None else asdict(item.liver),
    }


def _condition(item: Condition | None) -> str | None:
    return None if item is None else written(item)


def _window(item: Window | None) -> Json | None:
    """As the file would write it: a length up to or from an anchor, else [from, to] after it."""
    if item is None:
        return None
    ends = {} if item.ends is Ends.BOTH else {"ends": item.ends.value}
    unit, low, high, anchor = item.unit.value, item.low, item.high, item.anchor
    if low is None or high is None:
        return {"until" if low is None else "since": anchor, **ends}
    if high == 0:
        return {unit: -low, **({"before": anchor} if anchor else {}), **ends}
    if anchor is None:
        return {unit: [-high, -low], **ends}
    return {unit: high if low == 0 else [low, high], "after": anchor, **ends}


def _scope_facts(protocol: Protocol) -> Json:
    """What conditions may name beyond the declared facts, by scope."""
    it = protocol.definition
    names = scopes_of(it)
    return {
        scope.value: {
            name: {"type": kind.value.value, "values": list(kind.values), "unit": kind.unit}
            for name, kind in known.items()
            if name not in it.facts
        }
        for scope, known in names.items()
    }


def _source(item: Source) -> Json:
    return {
        "document": item.document,
        "section": item.section,
        "quote": item.quote,
        "confidence": item.confidence,
    }


def _criterion(item: Criterion) -> Json:
    return {
        "id": item.id,
        "kind": item.kind.value,
        "text": item.text,
        "when": item.expression,
        "conditional": item.applicable_if != Const(value=True),
        "applicable_if": written(item.applicable_if),
        "waivable": item.waivable,
        "interpretation": item.interpretation,
        "source": _source(item.source),
        "line": item.line,
    }


def _rule(item: AlertRule) -> Json:
    return {
        "id": item.id,
        "on": item.scope.value,
        "category": item.category.value,
        "severity": item.severity.value,
        "when": item.expression,
        "title": item.title,
        "detail": item.detail,
        "action": item.action,
        "hold": item.hold,
        "deviation": item.deviation,
        "source": _source(item.source),
        "line": item.line,
    }


def _stopping(item: StoppingRule) -> Json:
    return {**stopping.as_data(item), "source": _source(item.source), "line": item.line}
