"""A protocol as a person reads it: text, html, json.

Who comes in: `vigil protocol show`, the pages and the HTTP door. Who goes out: str, or a dict.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from rules.language.vocabulary import scopes_of
from rules.model import (
    AlertRule,
    Code,
    Coding,
    Const,
    Criterion,
    FactSpec,
    Parameter,
    Source,
    StoppingRule,
    Window,
)
from rules.protocol import Protocol
from rules.terms import CriterionKind

Json = dict[str, Any]
FORMATS = ("text", "html", "json")
# A code and the fact made of it bear one name; in a page each has an id of its own.
PREFIXES = {"Parameters": "parameter-", "What may be published": "code-", "Facts": "fact-"}
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "dt{font-weight:600}dd{margin:0 0 .3rem 1.5rem}p{white-space:pre-line}"
    "section{break-inside:avoid;border-top:1px solid #ccc}"
)


def show(protocol: Protocol, form: str = "text") -> str | Json:
    """The whole protocol; `form` is text, html or json (a dict). Raises ValueError otherwise."""
    if form == "json":
        return as_json(protocol)
    if form == "text":
        return as_text(protocol)
    if form == "html":
        return as_html(protocol)
    raise ValueError(f"one of {', '.join(FORMATS)}")


# --- json -------------------------------------------------------------------------------------
def as_json(protocol: Protocol) -> Json:
    """Every code, coding, fact, type, unit, criterion, rule."""
    it = protocol.definition
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
        "scenarios": [item.name for item in it.scenarios],
    }


def _parameter(item: Parameter) -> Json:
    return {"name": item.name, "value": item.value, "source": item.source, "reason": item.reason}


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
        "take": item.take,
        "window": _window(item.window),
        "date_only": "counts" if item.dates_count else "unknown",
        "given_by": item.given_by,
    }


def _window(window: Window | None) -> Json | None:
    if window is None:
        return None
    return {str(window.unit): -(window.low or 0)}


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
        "source": _source(item.source),
        "line": item.line,
    }


def _stopping(item: StoppingRule) -> Json:
    return {
        "id": item.id,
        "title": item.title,
        "method": item.method,
        "endpoint": item.expression,
        "among": item.among_expression or None,
        "window_days": item.window_days,
        "table": [{"evaluable": n, "stop_at": at} for n, at in item.table],
        "source": _source(item.source),
        "line": item.line,
    }


# --- text and html: the same paragraphs -------------------------------------------------------
Block = tuple[str, str, list[tuple[str, str]]]  # heading, text, (label, value) lines


def _blocks(protocol: Protocol) -> Iterable[tuple[str, list[Block]]]:
    it = protocol.definition
    for kind, title in (
        (CriterionKind.INCLUSION, "Inclusion criteria"),
        (CriterionKind.EXCLUSION, "Exclusion criteria"),
    ):
        yield title, [_criterion_block(item) for item in it.criteria if item.kind is kind]
    yield "Alert rules", [_rule_block(item) for item in it.rules]
    yield "Stopping rules", [_stopping_block(item) for item in it.stopping]
    yield "Parameters", [_parameter_block(item) for item in it.parameters.values()]
    yield "What may be published", [_code_block(item) for item in it.codes.values()]
    yield "Facts", [_fact_block(item) for item in it.facts.values()]


def _lines(*pairs: tuple[str, str | None]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in pairs if value]


def _told(source: Source) -> str:
    parts = (source.document, source.section, source.quote, source.confidence)
    return "; ".join(part for part in parts if part)


def _criterion_block(item: Criterion) -> Block:
    waivable = "by the investigator, with a reason" if item.waivable else None
    lines = _lines(
        ("Holds when", item.expression),
        ("Read as", item.interpretation),
        ("May be waived", waivable),
        ("Source", _told(item.source)),
    )
    return item.id, item.text, lines


def _rule_block(item: AlertRule) -> Block:
    lines = _lines(
        ("Fires when", item.expression),
        ("About", f"{item.scope.value}, {item.category.value}, {item.severity.value}"),
        ("Says", item.detail),
        ("Do", item.action),
        ("Holds", item.hold),
        ("Source", _told(item.source)),
    )
    return item.id, item.title, lines


def _stopping_block(item: StoppingRule) -> Block:
    table = ", ".join(f"{at} of {evaluable}" for evaluable, at in item.table)
    lines = _lines(
        ("Counts", item.expression),
        ("Among", item.among_expression),
        ("Evaluable after", f"{item.window_days} days"),
        ("Stop at", table),
        ("Source", _told(item.source)),
    )
    return item.id, item.title, lines


def _parameter_block(item: Parameter) -> Block:
    value = str(item.value).lower() if isinstance(item.value, bool) else str(item.value)
    return item.name, value, _lines(("Source", item.source), ("Reason", item.reason))


def _code_block(item: Code) -> Block:
    bounds = [f"{limit:g}" if limit is not None else "" for limit in (item.low, item.high)]
    lines = _lines(
        ("Type", item.type.value),
        ("Value", item.value.value if item.value else None),
        ("Unit", item.unit),
        ("One of", ", ".join(item.values)),
        ("Possible", " to ".join(bounds) if any(bounds) else None),
        ("Codings", ", ".join(map(_coding, item.codings))),
    )
    return item.code, item.label, lines


def _coding(item: Coding) -> str:
    return f"{item.code} ({item.system})"


def _fact_block(item: FactSpec) -> Block:
    window = _window(item.window) or {}
    lines = _lines(
        ("From", f"{item.origin}, {item.code}"),
        ("Takes", item.take.replace("_", " ")),
        ("Window", ", ".join(f"{value:g} {unit}" for unit, value in window.items())),
        ("Dates alone", "count where their day overlaps the window" if item.dates_count else None),
        ("Type", item.value.value),
        ("Unit", item.unit),
    )
    return item.name, item.label, lines


def as_text(protocol: Protocol) -> str:
    """Plain paragraphs under headings."""
    it = protocol.definition
    out = [f"{it.title}", f"{it.id}, version {it.version}; {it.time_zone}; target {it.target}", ""]
    for title, blocks in _blocks(protocol):
        if not blocks:
            continue
        out += [title, "=" * len(title), ""]
        for heading, text, lines in blocks:
            out.append(f"{heading}  {text}".replace("\n", "\n    "))
            out += [f"    {label}: {value}".replace("\n", "\n      ") for label, value in lines]
            out.append("")
    return "\n".join(out)


def as_html(protocol: Protocol) -> str:
    """One page without scripts or links: it prints and works without internet access."""
    it, esc = protocol.definition, html.escape
    name = f"{esc(it.id)} {esc(it.version)}"
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{name}</title>',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{esc(it.title)}</h1>",
            f"<p>{name}; {esc(it.time_zone)}; target {it.target}</p>",
            as_sections(protocol),
            "</body></html>",
        )
    )


def as_sections(protocol: Protocol) -> str:
    """The same without its frame, from the second heading down: for a page of somebody else's."""
    out = []
    for title, blocks in _blocks(protocol):
        if blocks:
            out.append(f"<h2>{html.escape(title)}</h2>")
            prefix = PREFIXES.get(title, "")
            out += [_section(prefix, *block) for block in blocks]
    return "\n".join(out)


def _section(prefix: str, heading: str, text: str, lines: list[tuple[str, str]]) -> str:
    esc = html.escape
    items = "".join(f"<dt>{esc(label)}</dt><dd>{esc(value)}</dd>" for label, value in lines)
    name = f'id="{prefix}{esc(heading)}"'
    return f"<section {name}><h3>{esc(heading)}</h3><p>{esc(text)}</p><dl>{items}</dl></section>"
