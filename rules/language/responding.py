"""Response rates: which subjects are evaluable, and who of them responded.

Who comes in: schema.py with the top of the file. Who goes out: ResponseRate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rules.language.clauses import Clauses, expression, source
from rules.language.reading import Section
from rules.language.stopping import RULE_ID
from rules.language.vocabulary import FactType
from rules.model import ResponseRate


def responses(
    top: Section,
    clauses: Clauses,
    sources: Collection[str],
    names: Mapping[str, FactType],
    taken: Collection[str] = (),
) -> tuple[ResponseRate, ...]:
    """Everything under `response`; `names`: what a condition over the subject may name.

    `taken`: the ids under which something else counts subjects already.
    """
    found: dict[str, ResponseRate] = {}
    for item in top.sections("response", "the response"):
        made = ResponseRate(
            id=item.name("id", RULE_ID, "capital letters, digits and -, as RR-28"),
            title=item.text("title", required=True),
            evaluable_when=clauses.read(item, "evaluable", names),
            responder_when=clauses.read(item, "responder", names),
            source=source(item, sources),
            evaluable_expression=expression(item, "evaluable"),
            responder_expression=expression(item, "responder"),
            line=item.line(),
            lines=item.node.lines,
        )
        item.close()
        if found.setdefault(made.id, made) is not made:
            item.complain("id", "stands twice", f"first on line {found[made.id].line}")
        if made.id in taken:
            item.complain("id", f"`{made.id}` is a stopping rule's or a repeat's", "choose another")
    return tuple(found.values())
