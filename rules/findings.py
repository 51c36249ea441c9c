"""Findings: what fires now against what was open; the difference is what people are told.

Who comes in: step and trial, with what fired. Who goes out: changes, and the open findings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from rules.events import Evidence, FindingChange
from rules.explanation.clauses import because
from rules.facts.projections import INEXACT, UNKNOWN, Reading
from rules.model import AlertRule, Scalar, Source
from rules.ownrules import OPS_DISAGREE, OWN_EVIDENCE, OWN_MENTIONED, OWN_RULES
from rules.plan import OVERRIDDEN, Plan, fill
from rules.terms import Category, Change, Severity

Read = Callable[[str], Reading]
KEY, OCCURRED, TITLE = 0, 4, 5
Open = dict[str, list[Any]]  # rule -> [key, content hash, severity, category, occurred, title]


@dataclass
class Step:
    """One whole step: one event, or one due instant; its findings open under its key."""

    n: int
    due_us: int
    at_us: int
    key: str  # of the episodes of state rules that begin in it
    time_us: int  # when it clinically happened
    because_of: str | None
    late: bool = False  # a correction, discard or late datum: what ends is superseded
    changes: list[FindingChange] = field(default_factory=list)


def text(value: Scalar | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "not recorded"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _told(reading: Reading, unit: str) -> str:
    """A number with its unit; and whether it may lie outside of the window that it counts in."""
    number = isinstance(reading.value, int | float) and not isinstance(reading.value, bool)
    told = f"{text(reading.value)} {unit}" if number and unit else text(reading.value)
    inexact = reading.note == INEXACT and reading.value is not None
    return f"{told} ({INEXACT})" if inexact else told


def source_text(source: Source, names: Mapping[str, str]) -> str:
    """Where a rule comes from, on one line; `names`: how the protocol calls documents."""
    document = names.get(source.document, source.document)
    where = ", ".join(part for part in (document, source.section) if part)
    quote = f": {source.quote}" if source.quote else ""
    confidence = f" ({source.confidence})" if source.confidence else ""
    return f"{where}{quote}{confidence}"


class Content(NamedTuple):
    """What a finding says."""

    title: str
    detail: str = ""
    evidence: tuple[dict[str, object], ...] = ()
    explanation: Mapping[str, object] | None = None
    due_us: int | None = None


class Findings:
    """The open findings of one stream and how a step changes them."""

    def __init__(self, plan: Plan, held: dict[str, Open]) -> None:
        """`held` is the state's own dict: entity -> Open."""
        self.plan, self.held = plan, held

    def differ(
        self,
        step: Step,
        entity: str,
        fired: Collection[str],
        read: Read,
        *,
        key: str | None = None,
        occurred_us: int | None = None,
        wrong: bool = False,
        touched: Collection[str] | None = None,
        units: Mapping[str, str] | None = None,
        untrue_from_us: int | None = None,
        due_us: int | None = None,
    ) -> None:
        """Open, update and close the entity's findings. `key` None: a state rule's episode.

        `touched`: the names that may read otherwise than before; None: any. `units`: of facts that
        differ from entity to entity. `untrue_from_us`: what occurred then or later never was so.
        `due_us`: until when something is to be done about the entity.
        """
        held = self.held.get(entity, {})
        for rule_id in [name for name in held if name not in fired]:
            ended = held.pop(rule_id)
            untrue = untrue_from_us is not None and ended[4] >= untrue_from_us
            self._close(step, ended, rule_id, wrong=wrong or untrue or step.late)
        for rule_id in sorted(fired):
            known = held.get(rule_id)
            if known is not None and touched is not None and self._unmoved(rule_id, touched):
                continue
            rule = self._rule(rule_id)
            content, digest = self._content(rule, read, units or {}, due_us)
            if known is None:
                known = held[rule_id] = [key or step.key, "", rule.severity, rule.category]
                known += [step.time_us if occurred_us is None else occurred_us, rule.title]
                kind = Change.OPENED
            elif known[1] != digest or known[2] != rule.severity:
                kind = Change.UPDATED
            else:
                continue
            known[1:4] = [digest, rule.severity.value, rule.category.value]
            known[5] = content.title
            content = content._replace(explanation=self._explain(rule, read), due_us=due_us)
            step.changes.append(self._change(step, kind, rule, known, content))
        if held:
            self.held[entity] = held
        else:
            self.held.pop(entity, None)

    def _rule(self, rule_id: str) -> AlertRule:
        """The protocol's rule or one of the engine's own; one of an older version is told so."""
        return self.plan.rules.get(rule_id) or OWN_RULES.get(rule_id, OPS_DISAGREE)

    def _unmoved(self, rule_id: str, touched: Collection[str]) -> bool:
        plan = self.plan
        names = (*plan.evidence.get(rule_id, ()), *plan.mentioned.get(rule_id, ()))
        if any(name in touched for name in names):
            return False
        return not any(name.partition("/")[2] in touched for name in plan.behind.get(rule_id, ()))

    def _explain(self, rule: AlertRule, read: Read) -> Mapping[str, object] | None:
        """The rule's clause tree over what it saw; the engine's own rules have none."""
        names = self.plan.explained.get(rule.id)
        if names is None:
            return None
        seen = {name: read(name).value for name in names}
        return self.plan.protocol.explainer.rule(rule)(seen.get)

    def _content(
        self, rule: AlertRule, read: Read, units: Mapping[str, str], due_us: int | None
    ) -> tuple[Content, str]:
        """Title, detail and evidence, and a hash of what makes an update worth telling."""
        plan = self.plan
        names = plan.evidence.get(rule.id, OWN_EVIDENCE.get(rule.id, ()))
        mentioned = plan.mentioned.get(rule.id, OWN_MENTIONED.get(rule.id, ()))
        readings = {name: read(name) for name in dict.fromkeys((*names, *mentioned))}
        values = {name: self._value(name, readings[name], units) for name in mentioned}
        title, detail = fill(rule.title, values), fill(rule.detail, values)
        evidence = tuple(
            self._evidence(name, reading, unit=units.get(name)).as_dict()
            for name, reading in readings.items()
            if name in names and reading is not UNKNOWN
        )
        evidence += tuple(item.as_dict() for item in self._behind(rule, read))
        # That a missing fact was told of by now is no news; a live fact's value says it all.
        known = [(str(e["fact"]), e["value"]) for e in evidence if e["value"] is not None]
        seen = [[name, plan.told_alike(name, value)] for name, value in known]
        told = [rule.severity, title, detail, seen, *(() if due_us is None else (due_us,))]
        return Content(title, detail, evidence), fingerprint(told)

    def _value(self, name: str, reading: Reading, units: Mapping[str, str]) -> str:
        spec = self.plan.definition.facts.get(name)
        if spec is not None and spec.finds and isinstance(reading.value, str):
            reading = reading._replace(value=reading.value.replace("_", " "))
        return _told(reading, units.get(name) or self.plan.told_unit(name))

    def _evidence(
        self, name: str, reading: Reading, criterion: str | None = None, unit: str | None = None
    ) -> Evidence:
        told_in = unit or self.plan.unit(name)
        origin = (reading.time_us, reading.event, reading.note)
        return Evidence(name, reading.value, told_in, *origin, criterion)

    def _behind(self, rule: AlertRule, read: Read) -> Iterator[Evidence]:
        """The data that make criteria unsatisfied, of a rule that names decision or verdicts.

        Beside them the overrides, which are somebody's word and no data.
        """
        leaning = self.plan.behind.get(rule.id)
        if not leaning:
            return
        asked = {name.partition("/")[0] for name in leaning}
        for criterion in str(read("unsatisfied").value).split(", "):
            if criterion in asked:
                yield from self._reasons(criterion, read)
        for criterion in str(read(OVERRIDDEN).value).split(", "):
            if criterion in asked:
                yield self._evidence(criterion, read(f"{criterion}/"), criterion)

    def _reasons(self, criterion: str, read: Read) -> Iterator[Evidence]:
        explain = self.plan.protocol.explainer.criterion(criterion)
        for name in because(explain(lambda fact: read(f"{criterion}/{fact}").value)):
            reading = read(f"{criterion}/{name}")
            if reading is not UNKNOWN:
                yield self._evidence(name, reading, criterion)

    def _close(self, step: Step, known: list[Any], rule_id: str, *, wrong: bool) -> None:
        rule = self._rule(rule_id)
        change = Change.SUPERSEDED if wrong else Change.CLEARED
        step.changes.append(self._change(step, change, rule, known, Content(known[5]), rule_id))

    def _change(
        self,
        step: Step,
        change: Change,
        rule: AlertRule,
        known: list[Any],
        content: Content,
        rule_id: str | None = None,
    ) -> FindingChange:
        return FindingChange(
            change=change,
            rule=rule_id or rule.id,
            key=known[0],
            scope=rule.scope,
            category=Category(known[3]),
            severity=Severity(known[2]),
            title=content.title,
            detail=content.detail,
            action=rule.action,
            source_text=source_text(rule.source, self.plan.definition.sources),
            evidence=content.evidence,
            occurred_us=known[4],
            because_of=step.because_of,
            hold=rule.hold,
            version=self.plan.pinned.get(rule.id),
            explanation=content.explanation,
            due_us=content.due_us,
        )


def digest(decision: str | None, codes: str, held: Mapping[str, Open]) -> str:
    """A hash of the decision, the verdicts and the open findings."""
    return fingerprint([decision, codes, held])


def fingerprint(value: object) -> str:
    """A short hash of JSON values; equal values give equal text."""
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=12).hexdigest()
