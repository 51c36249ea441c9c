"""A protocol's explanations, compiled when first asked for.

Who comes in: Protocol, views, findings. Who goes out: clause trees, counterfactuals, worklists.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cached_property
from typing import Any

from rules.explanation.clauses import Explain, Get, Tree, compile_tree, compile_trees
from rules.explanation.counterfactual import counterfactual
from rules.explanation.judging import Facts, Judge, judge
from rules.explanation.words import Names
from rules.explanation.worklist import Wanted, worklist
from rules.language.functions import compile_condition
from rules.language.vocabulary import scopes_of
from rules.model import AlertRule, Const, Definition
from rules.terms import Scope


class Explainer:
    """What one version of a protocol can say of its decisions. Nothing is kept of a subject."""

    def __init__(self, definition: Definition) -> None:
        """Nothing is compiled yet."""
        self.definition = definition
        self._rules: dict[str, Explain] = {}
        self._criteria: dict[str, Explain] = {}

    @cached_property
    def _names(self) -> dict[Scope, Names]:
        of, criteria = self.definition, [item.id for item in self.definition.criteria]
        types = scopes_of(of)
        return {scope: Names(of.facts, types[scope], frozenset(criteria)) for scope in types}

    @property
    def names(self) -> Names:
        """What the subject's facts are called."""
        return self._names[Scope.SUBJECT]

    @cached_property
    def judge(self) -> Judge:
        """The criteria one by one."""
        return judge(self.definition)

    @cached_property
    def visits(self) -> dict[str, Callable[[Facts], bool | None]]:
        """By visit of the schedule whether it applies to who has these facts."""
        always = Const(value=True)
        return {
            one.id: compile_condition(one.applicable_if or always)
            for one in self.definition.schedule
        }

    @cached_property
    def clauses(self) -> Callable[[Get], dict[str, Tree]]:
        """By criterion the clause tree of its condition as written, in one pass."""
        conditions = {
            item.id: item.when if item.stated is None else item.stated
            for item in self.definition.criteria
        }
        return compile_trees(conditions, self.names)

    @cached_property
    def applying(self) -> Callable[[Get], dict[str, Tree]]:
        """The same of what says to whom a criterion applies; without those that apply to all."""
        stated = {
            item.id: item.applicable_if if item.stated_if is None else item.stated_if
            for item in self.definition.criteria
        }
        conditions = {name: one for name, one in stated.items() if not isinstance(one, Const)}
        return compile_trees(conditions, self.names)

    def explain(self, facts: Facts) -> dict[str, dict[str, Any]]:
        """By criterion its clause tree; `applies` beside it where it may not apply."""
        get = facts.get
        found = self.clauses(get)
        for name, tree in self.applying(get).items():
            found[name]["applies"] = tree
        return found

    def criterion(self, name: str) -> Explain:
        """The clause tree of one criterion alone, with the facts' names as declared here."""
        explain = self._criteria.get(name)
        if explain is None:
            item = next(item for item in self.definition.criteria if item.id == name)
            when = item.when if item.stated is None else item.stated
            explain = self._criteria[name] = compile_tree(when, replace(self.names, raw=True))
        return explain

    def rule(self, rule: AlertRule) -> Explain:
        """The clause tree of an alert rule over what it saw."""
        explain = self._rules.get(rule.id)
        if explain is None:
            when = rule.when if rule.stated is None else rule.stated
            explain = self._rules[rule.id] = compile_tree(when, self._names[rule.scope])
        return explain

    def counterfactual(self, facts: Facts, overridden: AbstractSet[str]) -> dict[str, Any]:
        """The smallest changes that would flip the decision."""
        return counterfactual(self.judge, self.names, facts, overridden)

    def worklist(self, facts: Facts, overridden: AbstractSet[str]) -> tuple[Wanted, ...]:
        """The missing data that can still change the decision, most decisive first."""
        return worklist(self.judge, facts, overridden)
