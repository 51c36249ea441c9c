"""Protocols that somebody sends to keep the house busy: small texts, much work."""

from tests.support.small import SMALL

EVENT = '{type: observation, time: "2026-01-06T09:00:00+09:00", data: {code: temperature, value: 37, unit: Cel}}'
_HEAD, _, _SCENARIOS = SMALL.partition("scenarios:\n")
_ALTERNATIVES = " && ".join(f"(age_years == {n} || ecog == {n})" for n in range(6))


def rule(number: int, when: str) -> str:
    return (
        f"  - {{id: H-{number}, on: subject, category: safety, severity: info, when: '{when}', "
        "title: t, action: a, source: {document: record}}\n"
    )


def with_rules(count: int, when: str) -> str:
    rules = "".join(rule(number, when) for number in range(count))
    return SMALL.replace("rules:\n", f"rules:\n{rules}", 1)


def with_facts(text: str, *lines: str) -> str:
    return text.replace("facts:\n", "facts:\n" + "".join(f"  {line}\n" for line in lines), 1)


def century() -> str:
    """A scenario over a hundred years in which something falls due every day."""
    text = with_facts(
        SMALL.replace("hottest >= params.fever", "days_since_screening > 40000"),
        "days_since_screening: {take: days_since, anchor: screening}",
    )
    return text.replace(
        "    expect: {decision", '    expect: {at: "2150-01-01T00:00:00+09:00", decision'
    )


def many_scenarios() -> str:
    """A thousand scenarios with a thousand events each, out of one fixture."""
    fixture = "".join(f"    - {EVENT}\n" for _ in range(1000))
    text = SMALL.replace("fixtures:\n", f"fixtures:\n  many:\n{fixture}", 1)
    each = "  - {name: s%d, given: [many], expect: {decision: indeterminate}}\n"
    return text + "".join(each % number for number in range(999))


def many_expectations() -> str:
    """A thousand expectations, for each of which the whole scenario runs again."""
    head = SMALL.replace(
        "expect: {decision: indeterminate, verdicts: {I1: met, E1: not_applicable}}", "expect:"
    )
    events = "".join(f"      - {EVENT}\n" for _ in range(400))
    head = head.replace("    expect:", f"{events}    expect:")
    return head + "".join("      - {decision: indeterminate}\n" for _ in range(1000))


HOSTILE = {
    "ten megabytes": ("# " + "x" * 78 + "\n") * 131_072,
    "a million aliases": "a: [" + "*x," * 250_000 + "]",
    "a billion laughs": "a: &a [1]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "lists within lists": "a: " + "[" * 500_000,
    "mappings within mappings": "a: " + "{b: " * 200_000,
    "a list without end": SMALL.replace("values: [positive, negative]", "values: [" + "x, " * 200_000 + "y]"),
    "ten thousand criteria": SMALL.replace("criteria:\n", "criteria:\n" + "  - {}\n" * 10_000),
    "a thousand faulty criteria": SMALL.replace("criteria:\n", "criteria:\n" + "  - {id: x, when: zzz}\n" * 990),
    "long conditions": with_rules(300, " || ".join(f"age_years == {n}" for n in range(60))),
    "conditions that multiply": with_rules(400, _ALTERNATIVES.replace("==", ">=")),
    "units without end": SMALL.replace("codes:\n", "codes:\n" + "".join(f"  - {{code: c{n}, type: observation, label: c, value: number, unit: 'mg/dL{{x{n}}}'}}\n" for n in range(900))),
    "deep conditions": SMALL.replace("when: ecog in [0, 1, 2]", "when: '" + "!(infarction && " * 100 + "ecog == 1" + ")" * 100 + "'"),
    "a hundred years, due every day": century(),
    "a thousand scenarios of a thousand events": many_scenarios(),
    "a thousand expectations": many_expectations(),
}  # fmt: skip
