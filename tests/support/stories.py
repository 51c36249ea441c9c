"""One subject's story told in a few words, judged through the front door of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import rules
from rules.replay import open_findings
from tests.support.random_trials import compiled
from tests.support.reference.moments import instant

MINUTE = timedelta(minutes=1)
HEAD = """\
vigil: 1
protocol:
  id: story
  version: "1.0"
  title: A story
  time_zone: {zone}
  target: 10
  outcomes: {{primary: [x], secondary: []}}
  sources: {{team: made for a test}}
"""
SOURCE = "source: {document: team}"


def protocol(body: str, zone: str = "Asia/Seoul") -> str:
    """A whole file around what a test is about; `@` stands for the source that each thing needs."""
    return HEAD.format(zone=zone) + body.replace("@", SOURCE)


def criterion(name: str, when: str, **more: str) -> str:
    """One criterion on a line; E is an exclusion."""
    kind = "exclusion" if name.startswith("E") else "inclusion"
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  - {{id: {name}, kind: {kind}, text: {name}, when: '{when}', @{rest}}}\n"


def rule(name: str, when: str, detail: str = "", on: str = "subject") -> str:
    """One alert rule on a line."""
    return (
        f"  - {{id: {name}, on: {on}, category: safety, severity: serious, when: '{when}', "
        f'title: {name}, detail: "{detail}", action: Look., @}}\n'
    )


def us(text: str) -> int:
    """Microseconds of an ISO time with its offset."""
    return instant(datetime.fromisoformat(text))


class Story:
    """What was told of one subject, in order of receipt."""

    def __init__(self, text: str) -> None:
        """`text` is a protocol file."""
        self.engine = compiled(text)
        self.log: list[rules.Event] = []

    def tell(
        self, kind: str, time: str, /, received: str = "", precision: str = "second", **data: Any
    ) -> Story:
        """One event, as the door takes it; received when it happened, unless it is said."""
        n, time_us = len(self.log) + 1, us(time)
        canonical, problems = self.engine.protocol.checker.check(kind, data, time_us)
        assert problems == [], problems
        received_us = us(received or time)
        self.log.append(
            rules.Event(
                n, f"ev{n}", "lab", f"e{n}", kind, time_us, precision, received_us, canonical
            )
        )
        return self

    def correct(self, n: int, received: str, **how: Any) -> Story:
        """A correction of event `n`."""
        corrects = {"source": "lab", "id": f"e{n}"}
        return self.tell("correction", received, corrects=corrects, **how)

    def run(self, at: str | None = None, log: Sequence[rules.Event] | None = None) -> rules.Outcome:
        """Everything received, judged up to an instant."""
        events = self.log if log is None else list(log)
        until = None if at is None else us(at)
        return self.engine.subject_steps("t", "S-1", None, events, lambda n: events[:n], until)

    def view(self, at: str | None = None) -> dict[str, Any]:
        """The checklist as known at an instant."""
        return self.engine.eligibility(self.log, None if at is None else us(at))

    def verdict(self, name: str, at: str | None = None) -> str:
        """One criterion's, as known at an instant."""
        found = {one["id"]: one["verdict"] for one in self.view(at)["criteria"]}
        return str(found[name])

    def open(self, at: str | None = None) -> dict[str, str]:
        """The rules that hold at an instant with their details."""
        known = [one for one in self.log if at is None or one.received_us <= us(at)]
        results = self.run(at, known).results
        return {name: change.detail for (name, _), change in open_findings(results).items()}
