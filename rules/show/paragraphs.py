"""A protocol as paragraphs: a heading, a text, labelled lines.

Who comes in: pages.py. Who goes out: titles with blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.language.written import written
from rules.model import (
    AlertRule,
    Clock,
    Code,
    Coding,
    Const,
    Criterion,
    Definition,
    EventGroup,
    FactSpec,
    Listed,
    LiverRule,
    Parameter,
    Reference,
    Relation,
    Repeat,
    ResponseRate,
    Source,
    StoppingRule,
    Visit,
)
from rules.protocol import Protocol
from rules.show import stopping, wording
from rules.terms import ChangeKind, Conflict, CriterionKind, Measure, Take

Block = tuple[str, str, list[tuple[str, str]]]  # heading, text, (label, value) lines


def paragraphs(protocol: Protocol) -> Iterable[tuple[str, list[Block]]]:
    """Every part of the file as it is written; the facts of its inner comparisons go without."""
    it = protocol.definition
    it = it.as_written or it
    yield "Amends", _amendment_blocks(it)
    for kind, title in (
        (CriterionKind.INCLUSION, "Inclusion criteria"),
        (CriterionKind.EXCLUSION, "Exclusion criteria"),
    ):
        yield title, [_criterion_block(item) for item in it.criteria if item.kind is kind]
    yield "Gate before an infusion", [_gate_block(item) for item in it.gate]
    yield "Product", _product_blocks(it)
    yield "Alert rules", [_rule_block(item) for item in it.rules]
    yield "Stopping rules", [_stopping_block(item) for item in it.stopping]
    yield "Parameters", [_parameter_block(item) for item in it.parameters.values()]
    yield "What may be published", [_code_block(item) for item in it.codes.values()]
    yield "Facts", [_fact_block(item) for item in it.facts.values() if not _is_inner(item)]
    yield "Visits", [_visit_block(item) for item in it.schedule]
    yield "Reporting clocks", [_clock_block(item) for item in it.clocks]
    yield "Response rates", [_response_block(item) for item in it.response]
    yield "The same event in several subjects", [_repeat_block(item) for item in it.repeats]
    yield "Groups of adverse events", [_group_block(item) for item in it.reference.groups]
    yield "Reference safety information", _listed_blocks(it.reference)
    yield "Relations", [_relation_block(item) for item in it.relations.values()]
    yield "Publishers' units", [_publisher_block(*item) for item in it.aliases.items()]


def _is_inner(item: FactSpec) -> bool:
    return item.derived is not None and "__" in item.name


def _lines(*pairs: tuple[str, str | None]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in pairs if value]


def _told(source: Source) -> str:
    parts = (source.document, source.section, source.quote, source.confidence)
    return "; ".join(part for part in parts if part)


def _criterion_block(item: Criterion) -> Block:
    waivable = "by the investigator, with a reason" if item.waivable else None
    lines = _lines(
        ("Holds when", item.expression),
        ("Applies where", _applies(item)),
        ("Read as", item.interpretation),
        ("May be waived", waivable),
        ("Source", _told(item.source)),
    )
    return item.id, item.text, lines


def _applies(item: Criterion) -> str | None:
    return None if item.applicable_if == Const(value=True) else written(item.applicable_if)


def _rule_block(item: AlertRule) -> Block:
    lines = _lines(
        ("Fires when", item.expression),
        ("About", f"{item.scope.value}, {item.category.value}, {item.severity.value}"),
        ("Says", item.detail),
        ("Do", item.action),
        ("Holds", item.hold),
        ("Protocol deviation", item.deviation),
        ("Source", _told(item.source)),
    )
    return item.id, item.title, lines


def _response_block(item: ResponseRate) -> Block:
    lines = _lines(
        ("Evaluable", item.evaluable_expression),
        ("Responded", item.responder_expression),
        ("Source", _told(item.source)),
    )
    return item.id, item.title, lines


def _repeat_block(item: Repeat) -> Block:
    lines = _lines(
        ("Counts", item.expression),
        ("Reached", f"by the same term in {item.subjects} subjects"),
        ("Source", _told(item.source)),
    )
    return item.id, item.title, lines


def _group_block(item: EventGroup) -> Block:
    lines = _lines(
        ("Terms", ", ".join(sorted(item.terms))),
        ("Codings", ", ".join(sorted(item.codings))),
        ("Source", _told(item.source) if item.source else None),
    )
    return item.name, item.label, lines


def _listed_blocks(reference: Reference) -> list[Block]:
    """What is expected; that nothing is, where a list is declared and empty."""
    if reference.listed == ():
        return [("none", "No adverse event is expected", [])]
    return [_listed_block(item) for item in reference.listed or ()]


def _listed_block(item: Listed) -> Block:
    grade = "any grade" if item.max_grade is None else f"up to grade {item.max_grade}"
    lines = _lines(
        ("Listed", f"{grade}, {'fatal too' if item.fatal else 'not fatal'}"),
        ("In force from", item.since),
        ("Until", item.until),
        ("Source", _told(item.source) if item.source else None),
    )
    return "expected", ", ".join(sorted(item.terms)), lines


def _stopping_block(item: StoppingRule) -> Block:
    lines = _lines(*stopping.lines(item), ("Source", _told(item.source)))
    return item.id, item.title, lines


def _parameter_block(item: Parameter) -> Block:
    value = str(item.value).lower() if isinstance(item.value, bool) else str(item.value)
    value = f"{value} {item.unit}" if item.unit else value
    return item.name, value, _lines(("Source", item.source), ("Reason", item.reason))


def _code_block(item: Code) -> Block:
    bounds = [f"{limit:g}" if limit is not None else "" for limit in (item.low, item.high)]
    lines = _lines(
        ("Type", item.type.value),
        ("Value", item.value.value if item.value else None),
        ("Unit", item.unit),
        ("One of", ", ".join(item.values)),
        ("Possible", " to ".join(bounds) if any(bounds) else None),
        ("Molar mass", f"{item.molar_mass:g} g/mol" if item.molar_mass is not None else None),
        ("Graded as", f"{item.ctcae} of the CTCAE dictionary" if item.ctcae else None),
        ("Scores", ", ".join(f"{name} {a} to {b}" for name, (a, b) in item.scores.items())),
        ("Also spelled", ", ".join(f"{word} for {unit}" for word, unit in item.aliases.items())),
        ("Codings", ", ".join(map(_coding, item.codings))),
    )
    return item.code, item.label, lines


def _coding(item: Coding) -> str:
    return f"{item.code} ({item.system})"


def _fact_block(item: FactSpec) -> Block:
    reads = _derived_lines(item) if item.derived is not None else _read_lines(item)
    lines = _lines(
        *reads,
        ("Applies where", wording.condition(item.applicable_if)),
        ("Type", item.value.value),
        ("One of", ", ".join(item.values) if item.take is not Take.ABSENCE else None),
        ("Unit", item.unit),
    )
    return item.name, item.label, lines


def _derived_lines(item: FactSpec) -> list[tuple[str, str | None]]:
    return [("Is", item.derived.expression if item.derived is not None else None)]


def _read_lines(item: FactSpec) -> list[tuple[str, str | None]]:
    return [
        ("From", _origin(item)),
        (_WHERE.get(item.take, "Only where"), wording.condition(item.where)),
        ("Looks at", _MEASURES[item.measure]),
        ("Takes", _take(item)),
        ("Window", wording.window(item.window)),
        ("Holds for", wording.length(item.valid)),
        ("Where records differ", _conflict(item)),
        ("Dates alone", "count where their day overlaps the window" if item.dates_count else None),
    ]


_WHERE = {Take.CONSECUTIVE: "Counts those where"}
_MEASURES = {
    Measure.VALUE: None,
    Measure.RATIO_TO_HIGH: "the ratio to the upper limit of its own reference range",
    Measure.RATIO_TO_LOW: "the ratio to the lower limit of its own reference range",
    Measure.GRADE: "its grade in the clinical dictionary, by its own range",
    Measure.GRADE_HIGH: "its grade as a high value in the clinical dictionary, by its own range",
    Measure.GRADE_LOW: "its grade as a low value in the clinical dictionary, by its own range",
}


def _origin(item: FactSpec) -> str | None:
    if item.origin is None:
        return None
    what = ", ".join(
        part for part in (item.code, *item.also, item.field or item.score or "") if part
    )
    giver = f", given by {item.given_by.replace('_', ' ')}" if item.given_by else ""
    return f"{item.origin}{', ' if what else ''}{what}{giver}"


def _take(item: FactSpec) -> str:
    told = item.take.replace("_", " ")
    if item.anchor is not None:
        return f"{told} {item.anchor.replace('_', ' ')}"
    if item.liver is not None:
        return _of_liver(told, item, item.liver)
    if item.take is Take.CHANGE_FROM_BASELINE:
        how = "" if item.change is ChangeKind.ABSOLUTE else f", as {item.change}"
        return f"{told}, the last up to {(item.baseline or '').replace('_', ' ')}{how}"
    return told


def _of_liver(told: str, item: FactSpec, rule: LiverRule) -> str:
    """The limits that a fact over liver tests together goes by."""
    limits = f"{told}: transaminase {rule.at_times:g} x, bilirubin {rule.bilirubin_times:g} x ULN"
    if item.take is Take.EDISH:
        return f"{limits}, whenever each was"
    absolute = "" if rule.at_absolute is None else f" or {rule.at_absolute:g}"
    over = (
        f"; above an abnormal baseline {rule.at_over_baseline:g} x it{absolute} and "
        f"{rule.bilirubin_over_baseline:g} x it"
    )
    return (
        f"{limits} from {rule.before_days} days before to {rule.window_days} after, "
        f"ALP {rule.alp_times:g} x ULN within {rule.alp_within_days} days"
        f"{over if item.baseline else ''}"
    )


def _conflict(item: FactSpec) -> str | None:
    if item.conflict is Conflict.LAST and not item.within_day:
        return None
    time = "of one day" if item.within_day else "of one time"
    order = f" ({', '.join(item.worse)})" if item.worse else ""
    return f"the {item.conflict} {time}{order}"


def _visit_block(item: Visit) -> Block:
    after = item.anchor.replace("_", " ")
    window = f"{item.early_days} days before to {item.late_days} days after"
    infusion = None if item.administration is None else f"number {item.administration}"
    lines = _lines(
        ("Infusion", infusion),
        ("Due", f"{item.day} days after {after}; {window}"),
        ("Collects", ", ".join(item.collects)),
        ("Owner", item.owner),
        ("Applies where", wording.condition(item.applicable_if)),
        ("Source", _told(item.source)),
    )
    return item.id, item.label, lines


def _gate_block(item: Criterion) -> Block:
    lines = _lines(
        ("Closed when", item.expression),
        ("Applies where", wording.condition(item.applicable_if)),
        ("Interpretation", item.interpretation),
        ("Source", _told(item.source)),
    )
    return item.id, item.text, lines


def _product_blocks(it: Definition) -> list[Block]:
    if it.product is None:
        return []
    lines = _lines(
        ("Dose told in", it.product.dose_unit),
        ("Dose per kg by", it.product.weight),
    )
    return [(it.product.name, "", lines)]


def _clock_block(item: Clock) -> Block:
    hours = item.due.hours
    after = f"{hours} hours" if hours is not None else f"{item.due.calendar_days} calendar days"
    whose = f"the {item.starts.value}'s awareness"
    number = "" if item.nth == 1 else f", report number {item.nth}"
    lines = _lines(
        ("Region", item.region),
        ("Starts when", item.expression),
        ("Starts again with news of", ", ".join(item.restarts_on)),
        ("Due", f"{after} after {whose}, to {item.to}"),
        ("Stopped by", f"{item.stopped_by}{number}"),
        ("Another clock asks for it while", wording.condition(item.spared)),
        ("Not asked for where", wording.condition(item.exempt)),
        ("Source", _told(item.source)),
    )
    return item.id, item.label, lines


def _relation_block(item: Relation) -> Block:
    which, side = item.take.split("_")
    on, to = (scope.replace("_", " ") for scope in (item.on, item.to))
    within = wording.length(item.within)
    text = f"The {which} {to} {side} the {on}{f', within {within}' if within else ''}"
    return item.name, text, []


def _amendment_blocks(it: Definition) -> list[Block]:
    if it.amends is None:
        return []
    days = it.amends.reconsent_within_days
    lines = _lines(
        ("Kind", it.amends.kind.value),
        ("Consent again within", f"{days} days" if days is not None else None),
    )
    return [(f"Version {it.amends.version}", it.amends.summary, lines)]


def _publisher_block(source: str, aliases: Mapping[str, str]) -> Block:
    told = ", ".join(f"{spelling} for {unit}" for spelling, unit in aliases.items())
    return source, f"Spells {told}", []
