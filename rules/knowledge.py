"""The durable-rules knowledge base: it fires the alerts. The only importer of durable.

Who comes in: the step, with one flat snapshot of a scope. Who goes out: the ids of the rules that
fired, and where the compiled twin disagrees.

durable-rules 2.0.28 is fast and right as a matcher of single flat facts; outside of that it
crashes, hangs or answers wrongly without an error. The envelope, all of it here: no threads; one
host a process, built after the fork; rulesets from fresh data; one fact at a time under a private
sid, retracted always; never `post`, batches, joins, counts, timers, regexes; every leaf guarded by
field-exists, every rule by its kind; at most 60 leaves a ruleset; a canary that must sing always.
"""

from __future__ import annotations

import copy
import math
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import durable_rules_engine  # type: ignore[import-not-found]  # C, without stubs
from durable import engine as durable

from rules.assessment import compile_firing, compile_rules, names_in
from rules.errors import EngineFailure, EvaluationError
from rules.language.conditions import (
    GREATEST,
    GREATEST_INTEGER,
    SMALLEST,
    STAND_IN,
    plain_text,
)
from rules.language.normal import Clause, clauses, leaves
from rules.language.vocabulary import FactType, declared, scopes
from rules.model import Compare, Condition, Definition, Has, In, Not, Scalar
from rules.terms import Scope, ValueType, Verdict

MAX_LEAVES = 60  # of one ruleset; more than 64 pending at once and nothing fires, with error 303
CANARY = "canary"
ENGINE_FAILED = "*"  # stands in `disagreement` where the engine gave no answer at all
CRITERIA = "criteria"
_SID = "vigil"
_REBUILDS_MAX = 100  # a failed engine cannot be freed safely and keeps about 2 MB
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
    made[CRITERIA] = shards(prefix, CRITERIA, _criteria(definition))
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
        self.kind = shard.kind
        self.fields = [(name, *_CLEAN[names[name].value]) for name in shard.fields]

    def message(self, snapshot: Snapshot, number: int) -> dict[str, Any]:
        """The flat fact. Raises EvaluationError where a value is not of its declared type."""
        fact: dict[str, Any] = {"sid": _SID, "id": f"f{number}", "k": self.kind}
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


# --- the engine inside its envelope -----------------------------------------------------------
class _QuietHost(durable.Host):  # type: ignore[misc]  # durable ships no types
    """A host without its two background threads: they steal actions and free live memory."""

    def _run(self) -> None:
        """Start nothing."""


def _action(rule_id: str, sink: list[str]) -> Callable[[Any], None]:
    """A closure of exactly one argument (two would mean an action that never completes)."""

    def act(_closure: Any) -> None:
        sink.append(rule_id)

    return act


@dataclass
class _Engine:
    """One host with every ruleset of one protocol version; lives in one process."""

    groups: Mapping[str, tuple[Shard, ...]]
    names: Mapping[str, Names]
    sink: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    asked: int = 0

    def __post_init__(self) -> None:
        self.host = _QuietHost()
        self.cleaners = {
            group: [(shard.name, Sanitiser(shard, self.names[group])) for shard in made]
            for group, made in self.groups.items()
        }
        for made in self.groups.values():
            for shard in made:
                self._register(shard)

    def _register(self, shard: Shard) -> None:
        definition = {
            name: {
                "all": [{"m": copy.deepcopy(condition)}],
                "run": _action(name.rpartition("/")[0], self.sink),
            }
            for name, condition in shard.rules.items()
        }
        # `pri` high is last: when the canary sings, every other rule has had its turn.
        canary = {"all": [{"m": {"k": shard.kind}}], "pri": 1000, "run": _action(CANARY, self.sink)}
        try:
            self.host.register_rulesets({shard.name: {**definition, CANARY: canary}})
        except Exception as error:
            raise EngineFailure(f"the engine refuses the ruleset {shard.name}") from error

    def fire(self, group: str, snapshot: Snapshot) -> frozenset[str]:
        """The ids that fired. Raises EngineFailure unless every shard answered as it must."""
        fired: set[str] = set()
        for name, cleaner in self.cleaners[group]:
            self.asked += 1
            fired.update(self._ask(name, cleaner.message(snapshot, self.asked)))
        return frozenset(fired)

    def _ask(self, ruleset: str, message: dict[str, Any]) -> list[str]:
        sink = self.sink
        sink.clear()
        self.used.add(ruleset)
        try:
            state = self.host.assert_fact(ruleset, message)
            fired = list(sink)
            self.host.retract_fact(ruleset, message)
        except Exception as error:  # noqa: BLE001 - durable's errors have no root of their own
            raise EngineFailure(f"the engine raised {type(error).__name__}") from None
        if fired[-1:] != [CANARY]:
            raise EngineFailure("the canary did not sing")
        if not isinstance(state, dict) or "exception" in state:
            raise EngineFailure("an action failed inside the engine")
        return fired[:-1]

    def dispose(self) -> None:
        """Give the memory back; only for an engine that has answered well to the end."""
        for made in self.groups.values():
            for shard in made:
                if shard.name in self.used:  # deleting a session that never ran frees wild memory
                    self.host.delete_state(shard.name, _SID)
                ruleset = self.host.get_ruleset(shard.name)
                durable_rules_engine.delete_ruleset(ruleset._handle)  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Fired:
    """What the knowledge base says of one snapshot.

    `rules` are to be acted on. `disagreement` is empty, or names the rules of which the compiled
    twin says otherwise ("*": the engine gave no answer); then `rules` holds what either says.
    """

    rules: frozenset[str]
    disagreement: frozenset[str]


class KnowledgeBase:
    """One per process and protocol version; its engine is built at first use, after the fork."""

    def __init__(self, definition: Definition) -> None:
        """Compile the rules to data; nothing of durable is touched yet."""
        self.groups = compile_shards(definition)
        ids = [item.id for item in definition.criteria]
        by_scope = scopes(definition.facts, ids, definition.stopping)
        self.names: dict[str, Names] = {scope.value: by_scope[scope] for scope in Scope}
        self.names[CRITERIA] = declared(definition.facts)
        self.criteria = tuple(ids)
        self.twins: dict[str, Callable[[Snapshot], frozenset[str]]] = {
            scope.value: twin for scope, twin in compile_rules(definition).items()
        }
        self.twins[CRITERIA] = compile_firing(
            [(name, when if true else Not(when)) for name, when, true in _criteria(definition)]
        )
        self.counts: Counter[str] = Counter()  # failures, rebuilds, disagreements: for metrics
        self._engine: _Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def fire(self, scope: Scope, snapshot: Snapshot) -> Fired:
        """The alert rules that hold, cross-checked. Raises EvaluationError on a mistyped value."""
        expected = self.twins[scope.value](snapshot)
        answer = self._ask(scope.value, snapshot, expected)
        if answer == expected:
            return Fired(expected, frozenset())
        self.counts["disagreements"] += 1
        if answer is None:
            return Fired(expected, frozenset({ENGINE_FAILED}))
        return Fired(expected | answer, expected ^ answer)

    def verdicts(self, snapshot: Snapshot) -> dict[str, Verdict]:
        """The criteria as the engine judges them. Raises EngineFailure where it cannot."""
        answer = self._ask(CRITERIA, snapshot, self.twins[CRITERIA](snapshot))
        if answer is None:
            raise EngineFailure("the engine does not answer about the criteria")
        return {name: _verdict(name, answer) for name in self.criteria}

    def confirm(self, snapshot: Snapshot, verdicts: Mapping[str, Verdict]) -> frozenset[str]:
        """The criteria of which the engine says otherwise; empty: it agrees. "*": no answer."""
        try:
            answer = self.verdicts(snapshot)
        except EngineFailure:
            differ = frozenset({ENGINE_FAILED})
        else:
            differ = frozenset(name for name in self.criteria if answer[name] != verdicts[name])
        self.counts["disagreements"] += bool(differ)
        return differ

    def close(self) -> None:
        """Free the engine, where this process holds a sound one."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()
        self._engine = None

    def _ask(
        self, group: str, snapshot: Snapshot, expected: frozenset[str]
    ) -> frozenset[str] | None:
        """The engine's answer; where it fails or differs, that of a new engine; None: none."""
        if not self.groups[group]:
            return frozenset()
        if self._pid != os.getpid():  # after a fork: neither engine nor lock is ours
            self._pid, self._engine, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            answer = self._try(group, snapshot)
            if answer == expected or self.counts["rebuilds"] >= _REBUILDS_MAX:
                return answer
            self.counts["rebuilds"] += 1
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
            again = self._try(group, snapshot)
            return answer if again is None else again

    def _try(self, group: str, snapshot: Snapshot) -> frozenset[str] | None:
        """One answer, or None; an engine that failed is dropped as it is (freeing it may crash)."""
        engine, self._engine = self._engine, None
        try:
            if engine is None:
                if self.counts["failures"] >= _REBUILDS_MAX:
                    return None
                engine = _Engine(self.groups, self.names)
            answer = engine.fire(group, snapshot)
        except EngineFailure:
            self.counts["failures"] += 1
            return None
        except EvaluationError:
            self._engine = engine  # refused before the engine saw it
            raise
        self._engine = engine
        return answer


def _criteria(definition: Definition) -> list[tuple[str, Condition, bool]]:
    """(rule id, condition, wanted truth): each criterion as met, not met, not applicable."""
    made: list[tuple[str, Condition, bool]] = []
    for item in definition.criteria:
        made.append((f"{item.id}:{Verdict.MET}", item.when, True))
        made.append((f"{item.id}:{Verdict.NOT_MET}", item.when, False))
        made.append((f"{item.id}:{Verdict.NOT_APPLICABLE}", item.applicable_if, False))
    return made


def _verdict(name: str, fired: frozenset[str]) -> Verdict:
    """Not applicable goes before; neither met nor not met is indeterminate."""
    for verdict in (Verdict.NOT_APPLICABLE, Verdict.MET, Verdict.NOT_MET):
        if f"{name}:{verdict}" in fired:
            return verdict
    return Verdict.INDETERMINATE
