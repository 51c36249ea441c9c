"""Rules as durable-rules reads them: pure data, deterministic; and the facts it may be shown.

Who comes in: the knowledge base. Who goes out: shards of rules, sanitised flat snapshots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.errors import EvaluationError
from rules.language.constants import (
    GREATEST,
    GREATEST_INTEGER,
    SMALLEST,
)
from rules.language.functions import names_in
from rules.language.normal import Clause, clauses, leaves
from rules.language.syntax import STAND_IN, plain_text
from rules.language.vocabulary import FactType
from rules.model import Compare, Condition, Definition, Has, In, Not, Scalar
from rules.terms import Scope, ValueType, Verdict

MAX_LEAVES = 60  # of one ruleset; more than 64 pending at once and nothing fires, with error 303
CRITERIA = "criteria"
SID = "vigil"  # the one private session, of every ruleset
_DURABLE = {"!=": "$neq", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}

Snapshot = Mapping[str, Scalar]
Names = Mapping[str, FactType]


# --- compile: Condition -> durable's JSON -----------------------------------------------------
def expression(kind: str, clause: Clause) -> dict[str, Any]:
    """One conjunction: the kind, then each leaf behind the guard that its field is there.

    Never an `$and` inside an `$or` (more than a dozen overflow the engine's compiler), never two
    operators in one dict (the second is ignored).
    """
    parts: list[dict[str, Any]] = [{"k": kind}]
    for literal in clause:
        if isinstance(literal, Has):
            parts.append({"$ex": {literal.fact: 1}})
        elif isinstance(literal, Not):
            parts.extend({"$nex": {fact: 1}} for fact in names_in(literal))
        else:
            parts.append({"$ex": {literal.fact: 1}})
            parts.append(_leaf(literal))
    flat = [part for index, part in enumerate(parts) if part not in parts[:index]]
    return flat[0] if len(flat) == 1 else {"$and": flat}


def _leaf(literal: Compare | In) -> dict[str, Any]:
    if isinstance(literal, In):
        if len(literal.values) == 1:
            return {literal.fact: literal.values[0]}
        return {"$or": [{literal.fact: value} for value in literal.values]}
    if literal.op == "==":
        return {literal.fact: literal.value}
    return {_DURABLE[literal.op]: {literal.fact: literal.value}}


@dataclass(frozen=True)
class Shard:
    """One ruleset as data. A rule of several clauses is several rules here: R1/0, R1/1..."""

    name: str
    kind: str
    rules: Mapping[str, Mapping[str, Any]]  # "<rule id>/<clause>" -> expression
    fields: tuple[str, ...]  # what a snapshot must carry for them


def shards(
    prefix: str, kind: str, conditions: Iterable[tuple[str, Condition, bool]]
) -> tuple[Shard, ...]:
    """Divide (rule id, condition, wanted truth) so that no ruleset has more than 60 leaves."""
    made: list[Shard] = []
    rules: dict[str, Mapping[str, Any]] = {}
    fields: dict[str, None] = {}
    count = 1  # the canary

    def close() -> None:
        made.append(Shard(f"{prefix}:{kind}:{len(made)}", kind, dict(rules), tuple(fields)))

    for rule_id, condition, true in conditions:
        for number, clause in enumerate(clauses(condition, true=true)):
            size = leaves(clause) + 1  # its kind
            if rules and count + size > MAX_LEAVES:
                close()
                rules, fields, count = {}, {}, 1
            rules[f"{rule_id}/{number}"] = expression(kind, clause)
            fields.update(dict.fromkeys(names_in(*clause)))
            count += size
    if rules:
        close()
    return tuple(made)


def compile_shards(definition: Definition) -> dict[str, tuple[Shard, ...]]:
    """Every scope's alert rules, and the criteria as met / not met / not applicable."""
    prefix = f"{definition.id}@{definition.version}"
    made = {
        scope.value: shards(
            prefix,
            scope.value,
            [(rule.id, rule.when, True) for rule in definition.rules if rule.scope is scope],
        )
        for scope in Scope
    }
    made[CRITERIA] = shards(prefix, CRITERIA, criteria_rules(definition))
    return made


def criteria_rules(definition: Definition) -> list[tuple[str, Condition, bool]]:
    """(rule id, condition, wanted truth): each criterion as met, not met, not applicable."""
    made: list[tuple[str, Condition, bool]] = []
    for item in definition.criteria:
        made.append((f"{item.id}:{Verdict.MET}", item.when, True))
        made.append((f"{item.id}:{Verdict.NOT_MET}", item.when, False))
        made.append((f"{item.id}:{Verdict.NOT_APPLICABLE}", item.applicable_if, False))
    return made


# --- sanitise: what reaches the engine --------------------------------------------------------
def _number(value: Scalar) -> Scalar:
    """A number the engine reads, on the same side of every constant as `value`.

    Constants are 0 or of magnitude 1e-4 to 1e15 (the language sees to it), so what lies between
    or beyond them may be told by any other number there: none is refused, none is lost.
    """
    number = float(value)
    size = abs(number)
    if SMALLEST <= size < GREATEST or size == 0:
        return number + 0.0
    if not math.isfinite(number):
        raise TypeError
    return math.copysign(1.5e-05 if size < SMALLEST else GREATEST, number)


def _integer(value: Scalar) -> Scalar:
    whole = int(value)
    return max(-GREATEST_INTEGER, min(GREATEST_INTEGER, whole))


def _text(value: Scalar) -> Scalar:
    """A text the engine reads; an odd one equals no constant, and neither does its stand-in."""
    text = str(value)
    return text if plain_text(text) else STAND_IN


def _same(value: Scalar) -> Scalar:
    return value


_CLEAN: Mapping[ValueType, tuple[tuple[type, ...], Callable[[Scalar], Scalar]]] = {
    ValueType.BOOLEAN: ((bool,), _same),
    ValueType.INTEGER: ((int,), _integer),
    ValueType.NUMBER: ((int, float), _number),
    ValueType.CODE: ((str,), _text),
    ValueType.STRING: ((str,), _text),
}


class Sanitiser:
    """Takes from a snapshot the fields of one shard, each of its declared type."""

    def __init__(self, shard: Shard, names: Names) -> None:
        """Prepare one cleaner a field."""
        self.name, self.kind = shard.name, shard.kind
        self.fields = [(name, *_CLEAN[names[name].value]) for name in shard.fields]

    def message(self, snapshot: Snapshot) -> dict[str, Any]:
        """The flat fact. Raises EvaluationError where a value is not of its declared type."""
        fact: dict[str, Any] = {"sid": SID, "k": self.kind}
        get = snapshot.get
        for name, kinds, clean in self.fields:
            value = get(name)
            if value is None:
                continue
            if type(value) not in kinds:
                raise EvaluationError(f"the fact `{name}` is not of its declared type")
            try:
                fact[name] = clean(value)
            except (TypeError, OverflowError):
                raise EvaluationError(f"the fact `{name}` is not a finite number") from None
        return fact
