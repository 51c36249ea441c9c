"""One subject judged by brute force: verdicts, the decision, and which rules hold.

Nothing is carried from one moment to the next: each question reads the whole log again.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import rules
from tests.support.reference.facts import Facts
from tests.support.reference.history import Fits, effective
from tests.support.reference.logic import NOT_APPLICABLE, Logic, names
from tests.support.reference.moments import Span, day_of
from tests.support.reference.spelling import spelt, unit
from tests.support.reference.told import ENDED, Entity, Told

Look = Callable[[str], Any]
_BRACES = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")


class Subject:
    """What follows from a log at an instant."""

    def __init__(
        self,
        protocol: Mapping[str, Any],
        log: Sequence[rules.Event],
        now: int,
        fits: Fits,
    ) -> None:
        """`protocol`: the file as a plain dict; `log`: what was received by `now`."""
        self.protocol, self.now = protocol, now
        zone = protocol["protocol"]["time_zone"]
        codes = {(code["type"], code["code"]): code for code in protocol["codes"]}
        known = [one for one in log if one.received_us <= now]
        self.told = Told(effective(known, zone, fits), zone, codes)

    # --- eligibility --------------------------------------------------------------------------
    @cached_property
    def judged(self) -> Judged:
        """As it stands: fixed at the enrolment, else live."""
        enrolled = self.told.enrolled()
        return self.judge(None if enrolled is None else enrolled[1])

    def judge(self, at: int | None) -> Judged:
        facts = Facts(self.protocol, self.told, self.now, at)
        return Judged(self.protocol, facts, self.told.overrides(at, self.now))

    # --- rules --------------------------------------------------------------------------------
    def open_rules(self) -> dict[tuple[str, str], str]:
        """(rule, entity) -> detail, for every rule that definitely holds."""
        return {
            (rule["id"], entity): self._detail(rule, look)
            for rule in self.protocol.get("rules", ())
            for entity, look in self._entities(rule["on"])
            if self._holds(rule, look)
        }

    def _holds(self, rule: Mapping[str, Any], look: Look) -> bool:
        hushed = rule["category"] == "eligibility" and rule["on"] == "subject"
        if hushed and self._status("screened", None) is not True:
            return False
        specs = Facts(self.protocol, self.told, self.now).specs
        aside = getattr(look, "aside", lambda _name: False)
        perhaps = getattr(look, "perhaps_aside", lambda _name: False)
        vague = sorted(filter(perhaps, names(rule["when"])))

        def holds(world: Mapping[str, bool]) -> bool:
            """Where that is what applies, of what nobody knows whether it does."""

            def out(name: str) -> bool:
                return world.get(name, aside(name))

            return Logic(look, out, lambda name: name not in specs).holds(rule["when"])

        worlds = itertools.product((True, False), repeat=len(vague))
        return all(holds(dict(zip(vague, world, strict=True))) for world in worlds)

    def _detail(self, rule: Mapping[str, Any], look: Look) -> str:
        specs = Facts(self.protocol, self.told, self.now).specs
        codes = self.told.codes
        return _BRACES.sub(
            lambda found: spelt(look(found[1]), unit(specs.get(found[1]), codes)),
            rule.get("detail", ""),
        )

    def _entities(self, scope: str) -> list[tuple[str, Look]]:
        told = self.told
        if scope == "subject":
            return [("subject", Scope(self, None, self.judged))]
        if scope == "enrolment":
            enrolled = told.enrolled()
            if enrolled is None:
                return []
            return [("enrolment", Scope(self, enrolled[1], self.judged, since=enrolled[0]))]
        if scope == "infusion":
            return [self._infusion(one) for one in told.infusions()]
        if scope == "adverse_event":
            return [(f"ae:{one.name}", self._adverse(one).get) for one in told.adverse_events()]
        assert scope == "death"
        died = [one.data for one in told.of("death")]
        merged = {key: value for data in died for key, value in data.items()}
        return [("death", merged.get)] if died else []

    def _infusion(self, one: Entity) -> tuple[str, Look]:
        at, enrolled = one.when[1], self.told.enrolled()
        fixed = enrolled is not None and enrolled[1] <= at
        own = {
            "infusion_number": one.values.get("number"),
            "infusion_status": one.values.get("status"),
            "dose": one.values.get("dose"),
        }
        judged = self.judged if fixed else self.judge(at)
        return f"infusion:{one.name}", Scope(self, at, judged, own, one.when[0])

    def _adverse(self, one: Entity) -> dict[str, Any]:
        values = one.values
        found = {
            name: values.get(name)
            for name in ("grade", "serious", "causality", "expected", "outcome", "term")
        }
        listed: Any = values.get("seriousness")
        found["seriousness_criteria"] = None if listed is None else len(listed)
        found["ae_status"] = values.get("status") or "valid"
        found["ae"] = one.name
        found["onset_after_infusion"] = self._after(one.when)
        return found

    def _after(self, onset: Span) -> bool | None:
        infusions = self.told.infusions()
        if not infusions:
            return False
        low, high = infusions[0].when
        day = day_of(self.told.zone, low) == day_of(self.told.zone, high)
        # Of a day alone anything on that day was after it; of a month it may have been its last.
        answers = {began >= first for began in onset for first in ((low,) if day else (low, high))}
        return answers.pop() if len(answers) == 1 else None

    def _status(self, name: str, at: int | None) -> Any:
        """What the engine itself knows of the way through the trial."""
        told = [(s, w) for s, w in self.told.enrolment() if at is None or s[0] <= at]
        words = [word for _, word in told]
        died = self.told.died()
        dead = died is not None and (at is None or died[0] <= at)
        if name == "dead":
            return dead
        if name == "enrolled":
            span = next((s for s, word in told if word == "enrolled"), None)
            sure = span is not None and (at is None or span[1] <= at)
            return False if span is None else True if sure else None
        if name == "on_study":
            matter = [word for word in words if word == "enrolled" or word in ENDED]
            return not dead and bool(matter) and matter[-1] == "enrolled"
        if name == "followed":
            matter = [word for word in words if word == "enrolled" or word in ENDED]
            matter = [word for word in matter if word != "treatment_stopped"]
            return not dead and bool(matter) and matter[-1] == "enrolled"
        assert name == "screened"
        if "enrolled" in words:
            return True
        return self._screened(words)

    @staticmethod
    def _screened(words: Sequence[str]) -> bool:
        """Broken off before enrolment, one is no longer screened; screened anew, one is again."""
        return bool(words) and words[-1] not in ENDED

    def status(self, name: str, at: int | None) -> Any:
        if name == "infusions":
            counts = {
                len([one for one in self.told.infusions() if at is None or one.when[end] <= at])
                for end in (0, 1)
            }
            return counts.pop() if len(counts) == 1 else None
        if name == "age_years_at_enrolment":
            enrolled = self.told.enrolled()
            if enrolled is None or "age_years" not in self.protocol["facts"]:
                return None
            return Facts(self.protocol, self.told, self.now, enrolled[1]).look("age_years")
        return self._status(name, at)


class Judged:
    """The criteria at one moment."""

    def __init__(self, protocol: Mapping[str, Any], facts: Facts, overridden: set[str]) -> None:
        """Judge them all."""
        self.facts, self.overridden = facts, overridden
        self.verdicts = {one["id"]: self._verdict(one) for one in protocol["criteria"]}
        lets_in = [self._lets_in(one) for one in protocol["criteria"]]
        self.decision = (
            "ineligible" if False in lets_in else "indeterminate" if None in lets_in else "eligible"
        )

    def _verdict(self, criterion: Mapping[str, Any]) -> str:
        logic = self.facts.logic
        applies = logic.ask(criterion.get("applicable_if", "true"))
        answer: Any = logic.ask(criterion["when"])
        if applies is False or answer is NOT_APPLICABLE:
            return "not_applicable"
        return {True: "met", False: "not_met"}.get(answer, "indeterminate")

    def _lets_in(self, criterion: Mapping[str, Any]) -> bool | None:
        verdict = self.verdicts[criterion["id"]]
        if criterion["id"] in self.overridden or verdict == "not_applicable":
            return True
        if verdict == "indeterminate":
            return None
        return bool((verdict == "met") is (criterion["kind"] == "inclusion"))


class Scope:
    """Any name that a rule about the subject, its enrolment or an infusion may use."""

    def __init__(
        self,
        subject: Subject,
        at: int | None,
        judged: Judged,
        own: Mapping[str, Any] | None = None,
        since: int | None = None,
    ) -> None:
        """`at` None: now; `since`: the earliest moment that it may have been."""
        self.subject, self.at, self.judged, self.own = subject, at, judged, own or {}
        self.facts = Facts(subject.protocol, subject.told, subject.now, at, since)

    def __call__(self, name: str) -> Any:
        """The value of the name; None where it is not known."""
        if name in self.own:
            return self.own[name]
        if name in self.facts.specs or name.startswith("params."):
            return self.facts.look(name)
        if name == "decision":
            return self.judged.decision
        if name in self.judged.verdicts:
            return self.judged.verdicts[name]
        return self.subject.status(name, self.at)

    def aside(self, name: str) -> bool:
        return name in self.facts.specs and self.facts.aside(name)

    def perhaps_aside(self, name: str) -> bool:
        return name in self.facts.specs and self.facts.perhaps_aside(name)
