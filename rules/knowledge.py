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
import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import durable_rules_engine  # type: ignore[import-not-found]  # C, without stubs
from durable import engine as durable

from rules.assessment import compile_firing, compile_rules
from rules.errors import EngineFailure
from rules.language.rulesets import (
    CRITERIA,
    SID,
    Names,
    Sanitiser,
    Shard,
    Snapshot,
    compile_shards,
    criteria_rules,
)
from rules.language.vocabulary import declared, scopes_of
from rules.model import Definition, Not
from rules.terms import Scope, Verdict

CANARY = "canary"
ENGINE_FAILED = "*"  # stands in `disagreement` where the engine gave no answer at all
Messages = Sequence[tuple[str, dict[str, Any]]]  # (ruleset, flat fact)
_REBUILDS_MAX = 100  # a failed engine cannot be freed safely and keeps about 2 MB


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
    sink: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    asked: int = 0

    def __post_init__(self) -> None:
        self.host = _QuietHost()
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

    def fire(self, messages: Messages) -> frozenset[str]:
        """The ids that fired. Raises EngineFailure unless every ruleset answered as it must."""
        fired: set[str] = set()
        for ruleset, message in messages:
            self.asked += 1
            fired.update(self._ask(ruleset, {**message, "id": f"f{self.asked}"}))
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
                    self.host.delete_state(shard.name, SID)
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
        by_scope = scopes_of(definition)
        self.names: dict[str, Names] = {scope.value: by_scope[scope] for scope in Scope}
        self.names[CRITERIA] = declared(definition.facts)
        self.cleaners = {
            group: [Sanitiser(shard, self.names[group]) for shard in made]
            for group, made in self.groups.items()
        }
        self.criteria = tuple(ids)
        self.twins: dict[str, Callable[[Snapshot], frozenset[str]]] = {
            scope.value: twin for scope, twin in compile_rules(definition).items()
        }
        self.twins[CRITERIA] = compile_firing(
            [(name, when if true else Not(when)) for name, when, true in criteria_rules(definition)]
        )
        self.counts: Counter[str] = Counter()  # failures, rebuilds, disagreements: for metrics
        self._engine: _Engine | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def fire(self, scope: Scope, snapshot: Snapshot) -> Fired:
        """The alert rules that hold, cross-checked. Raises EvaluationError on a mistyped value."""
        expected, answer = self._judge(scope.value, snapshot)
        if answer == expected:
            return Fired(expected, frozenset())
        self.counts["disagreements"] += 1
        if answer is None:
            return Fired(expected, frozenset({ENGINE_FAILED}))
        return Fired(expected | answer, expected ^ answer)

    def verdicts(self, snapshot: Snapshot) -> dict[str, Verdict]:
        """The criteria as the engine judges them. Raises EngineFailure where it cannot."""
        _, answer = self._judge(CRITERIA, snapshot)
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

    def _judge(
        self, group: str, snapshot: Snapshot
    ) -> tuple[frozenset[str], frozenset[str] | None]:
        """What the twin says, and what the engine says (None: nothing, also after a rebuild)."""
        messages = [(item.name, item.message(snapshot)) for item in self.cleaners[group]]
        expected = self.twins[group](snapshot)
        if not messages:
            return expected, frozenset()
        if self._pid != os.getpid():  # after a fork: neither engine nor lock is ours
            self._pid, self._engine, self._lock = os.getpid(), None, threading.Lock()
        with self._lock:
            return expected, self._ask(messages, expected)

    def _ask(self, messages: Messages, expected: frozenset[str]) -> frozenset[str] | None:
        """The engine's answer; where it fails or differs, that of a new engine."""
        answer = self._try(messages)
        if answer == expected or self.counts["rebuilds"] >= _REBUILDS_MAX:
            return answer
        self.counts["rebuilds"] += 1
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        again = self._try(messages)
        return answer if again is None else again

    def _try(self, messages: Messages) -> frozenset[str] | None:
        """One answer, or None; an engine that failed is dropped as it is (freeing it may crash).

        Whatever interrupts an answer half-way leaves no engine behind.
        """
        engine, self._engine = self._engine, None
        try:
            if engine is None:
                if self.counts["failures"] >= _REBUILDS_MAX:
                    return None
                engine = _Engine(self.groups)
            answer = engine.fire(messages)
        except EngineFailure:
            self.counts["failures"] += 1
            return None
        self._engine = engine
        return answer


def _verdict(name: str, fired: frozenset[str]) -> Verdict:
    """Not applicable goes before; neither met nor not met is indeterminate."""
    for verdict in (Verdict.NOT_APPLICABLE, Verdict.MET, Verdict.NOT_MET):
        if f"{name}:{verdict}" in fired:
            return verdict
    return Verdict.INDETERMINATE
