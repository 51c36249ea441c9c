"""The differences of two versions in words: warnings, and lines for a terminal.

Who comes in: the front door, with what differences found. Who goes out: text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rules.protocol import Protocol
from rules.terms import AmendmentKind
from rules.versions.readers import Touches

Json = dict[str, Any]
_TITLES = {
    "protocol": "The trial", "criteria": "Criteria", "gate": "Gate before an infusion",
    "rules": "Rules", "stopping": "Stopping rules",
    "repeats": "The same event in several subjects", "response": "Response rates",
    "schedule": "Visits", "clocks": "Reporting clocks", "facts": "Facts",
    "parameters": "Parameters", "codes": "What may be published",
}  # fmt: skip


def warnings(old: Protocol, new: Protocol, found: Iterable[Json]) -> list[str]:
    amends = new.definition.amends
    if amends is None:
        hint = f'amends: {{version: "{old.version}", kind: minor | major, summary: ..}}'
        return [f"the version does not say what it amends; add {hint}"]
    told = []
    if amends.version != old.version:
        told.append(f"the version says that it amends {amends.version}, not {old.version}")
    if amends.kind is AmendmentKind.MINOR:
        told += [
            f"{_said(change)}, yet the amendment is declared minor: nobody is asked to consent anew"
            for change in found
            if change["touches"] != [Touches.TEXT.value] and _weighs(change)
        ]
    return told


def _weighs(change: Json) -> bool:
    """Criteria, what they rest on, consented procedures and stopping rules."""
    consented = {Touches.ELIGIBILITY.value, Touches.PROCEDURES.value}
    return change["section"] == "stopping" or bool(consented.intersection(change["touches"]))


def _said(change: Json) -> str:
    return f"{_TITLES[change['section']].lower()}: {change['id']} is {change['what']}"


def diff_text(found: Json) -> str:
    """The differences as lines for a terminal."""
    lines = [f"From version {found['from']['version']} to {found['to']['version']}"]
    if found["amends"] is not None:
        lines.append(f"A {found['amends']['kind']} amendment: {found['amends']['summary']}")
    lines += [f"WARNING: {text}" for text in found["warnings"]]
    section = ""
    for change in found["changes"]:
        if change["section"] != section:
            section = change["section"]
            lines += ["", _TITLES[section]]
        lines.append(f"  {change['id']} {change['what']} ({', '.join(change['touches'])})")
        lines += [f"    {line}" for item in change["keys"] for line in _key_lines(item)]
    return "\n".join(lines if found["changes"] else [*lines, "", "Nothing differs."])


def _key_lines(item: Json) -> Iterator[str]:
    if item["from"] is None or item["to"] is None:
        value = item["to"] if item["from"] is None else item["from"]
        yield f"{item['key']}: {_text(value)}"
        return
    yield f"{item['key']}:"
    yield f"  from {_text(item['from'])}"
    yield f"  to   {_text(item['to'])}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value)
    return " ".join(str(value).split())
