"""What a fact is made of: sources, kinds of events, other facts.

Who comes in: all declarations. Who goes out: which keys make which facts dirty, and of which
facts a derived one is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.facts.deriving import names_used
from rules.facts.moments import CONSENT, fact_of, moved_by
from rules.facts.sources import source_keys
from rules.language.dependencies import needs
from rules.model import Compare, FactSpec
from rules.terms import EventType, Take, ValueType

# Adverse events tell whether they began after the first infusion.
_KINDS = {
    EventType.ADMINISTRATION: ("@administration",),
    EventType.ADVERSE_EVENT: ("@adverse_event", "@administration"),
}


def hidden_facts(facts: Mapping[str, FactSpec], anchors: Iterable[str] = ()) -> dict[str, FactSpec]:
    """The engine's own facts: behind the anchor `consent` the first informed consent given."""
    named = {anchor for spec in facts.values() for anchor in anchors_in(spec)} | set(anchors)
    if "consent" not in named:
        return {}
    given = Compare("value", "==", True)
    consent = FactSpec(
        CONSENT, EventType.CONSENT, "informed_consent", ValueType.BOOLEAN,
        take=Take.EARLIEST, where=given, also=("guardian_consent",),
    )  # fmt: skip
    return {CONSENT: consent}


def anchors_in(spec: FactSpec) -> tuple[str, ...]:
    """The anchors that a fact names."""
    window = spec.window.anchor if spec.window is not None else None
    return tuple(name for name in (window, spec.baseline, spec.anchor) if name is not None)


def keys_of(name: str, facts: Mapping[str, FactSpec]) -> tuple[str, ...]:
    """Every key that makes a fact dirty: of its own and of all that it is made of."""
    result: dict[str, None] = {}
    for fact in (name, *_beneath(name, facts)):
        spec = facts[fact]
        result.update(dict.fromkeys(source_keys(spec)))
        if spec.origin is not None:
            result.update(dict.fromkeys(_KINDS.get(spec.origin, ())))
        moving = [moved_by(anchor) for anchor in anchors_in(spec)]
        result.update({key: None for key in moving if key is not None})
    return tuple(result)


def _beneath(name: str, facts: Mapping[str, FactSpec]) -> Iterable[str]:
    """All facts that a fact needs, directly or not; a circle was refused at load."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        spec = facts[waiting.pop()]
        named = [*needs(spec, facts)]
        named += [fact for anchor in anchors_in(spec) if (fact := fact_of(anchor)) is not None]
        for one in named:
            if one in facts and one not in found:
                found[one] = None
                waiting.append(one)
    return found


def inputs_of(name: str, facts: Mapping[str, FactSpec]) -> tuple[str, ...]:
    """The facts from events that a derived fact is computed of, through whatever stands between."""
    found: dict[str, None] = {}
    waiting = [name] if name in facts else []
    while waiting:
        spec = facts[waiting.pop(0)]
        for one in names_used(spec) if spec.derived is not None else ():
            if one in facts and one not in found:
                found[one] = None
                waiting.append(one)
    return tuple(one for one in found if facts[one].derived is None)
