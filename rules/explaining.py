"""The eligibility checklist with its reasons: clause by clause, and what would change the decision.

Who comes in: Engine.explanation. Who goes out: plain dicts; the checklist's, and `clauses`,
`applies` by criterion, `counterfactual` for the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rules.anchors import Judged
from rules.explanation.clauses import ASIDE
from rules.facts.absence import absence_of
from rules.facts.projections import UNKNOWN
from rules.plan import Plan
from rules.state import SubjectState
from rules.terms import said
from rules.views import checklist, judged_now


def explanation(plan: Plan, state: SubjectState) -> dict[str, Any]:
    """Frozen as the judgement that it explains: of the enrolled that of the enrolment."""
    judged = judged_now(plan, state)
    body = checklist(plan, state, judged)
    facts = plan.protocol.program.derive(judged.facts)
    explainer = plan.protocol.explainer
    trees = explainer.explain(facts)
    tell = _absences(judged)
    for item in body["criteria"]:
        tree = trees[item["id"]]
        applies = tree.pop("applies", None)
        item["clauses"], item["applies"] = tell(tree), None if applies is None else tell(applies)
    body["counterfactual"] = explainer.counterfactual(facts, frozenset(judged.overridden))
    return body


def _absences(judged: Judged) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Beside each value that is not there, why."""
    readings = {said(name): reading for name, reading in judged.readings.items()}

    def tell(tree: dict[str, Any]) -> dict[str, Any]:
        for part in tree.get("parts", ()):
            tell(part)
        if "fact" in tree and tree["value"] is None:
            reading = readings.get(tree["fact"], UNKNOWN)
            tree["reason"] = absence_of(reading, applies=tree["holds"] != ASIDE).value
        return tree

    return tell
