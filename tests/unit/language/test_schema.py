"""Every complaint about a protocol file names the file, the line, what is wrong, and what to do."""

import pytest

import rules
from rules.language.checks import collisions, fnv1a, uncovered
from rules.model import Compare, In
from rules.show import as_json
from rules.terms import Scope
from tests.support.small import SMALL, line_of


def complaints(text):
    with pytest.raises(rules.ProtocolError) as caught:
        rules.loads(text, "p.yaml")
    return caught.value.complaints


def bent(old, new):
    assert SMALL.count(old) >= 1, old
    return SMALL.replace(old, new, 1), line_of(SMALL, old.splitlines()[0].strip())


def test_the_small_protocol_loads_whole():
    it = rules.loads(SMALL).definition
    assert (it.id, it.version, it.target, it.time_zone) == ("small", "1.0", 10, "Asia/Seoul")
    assert [item.id for item in it.criteria] == ["I1", "I3", "E1"]
    assert it.criteria[1].when == In("ecog", (0, 1, 2))
    assert it.rules[0].when == Compare("hottest", ">=", 38.0)
    assert it.rules[2].scope is Scope.TRIAL
    assert "response" not in it.facts
    assert it.stopping[0].table == ((3, 2), (6, 3))
    (scenario,) = it.scenarios
    assert [event["type"] for event in scenario.events] == ["demographics", "enrolment"]
    assert scenario.events[0]["subject"] == "S-1"


# (what stands there, what comes instead, part of the complaint, part of its hint)
FAULTS = [
    ("vigil: 1", "vigil: 2", "not language version 1", "vigil: 1"),
    ('version: "1.0"', "version: 1.0", "`version` must be a text", "quote it"),
    ("id: small", "id: Small Trial", "`id` must be lower-case", ""),
    ("title: A small trial", "titel: A small trial", "unknown key `titel`", "did you mean title?"),
    ("time_zone: Asia/Seoul", "time_zone: Asia/Soul", "unknown time zone", "did you mean Asia/Seoul?"),
    ("target: 10", "target: 0", "`target` must be a whole number", ""),
    ("oldest: {value: 80, source: record}", "oldest: {value: 80, source: recrod}", "unknown source `recrod`", "did you mean record?"),
    ("source: not in the record, reason: a usual limit", "source: not in the record", "needs a `reason`", ""),
    ("unit: Cel, low: 25, high: 45", "unit: Cel, low: 50, high: 45", "`low` is above `high`", ""),
    ("unit: Cel, low: 25", "unit: Celsius, low: 25", "is no UCUM unit", ""),
    ("value: number, unit: Cel", "value: numeric, unit: Cel", "`value` must be one of", "did you mean number?"),
    ("value: code, values: [positive, negative]", "value: code", "a code needs its `values`", "values: ["),
    ("value: code, values: [positive, negative]", "value: code, values: [yes, yes]", "a value stands twice", ""),
    ("type: condition, label: Infarction", "type: condition, value: boolean, label: Infarction", "has no value of its own", ""),
    ("{code: unfit,", "{code: ecog,", "is declared twice", "first on line"),
    ("{code: angioplasty,", "{code: infarction,", "stands under two types", "rename"),
    ("field: birth_date, take: completed_years", "field: birth, take: completed_years", "`field` must be one of", "did you mean birth_date?"),
    ("code: infarction, take: touches_point", "code: infraction, take: touches_point", "no condition `infraction`", "did you mean infarction?"),
    ("take: touches_point, window: {months: 6}", "take: touches_point", "needs a `window`", ""),
    ("window: {months: 6}", "window: {months: 6, hours: 3}", "exactly one of", ""),
    ("window: {hours: 24}", "window: {hours: 0}", "above 0", ""),
    ("code: temperature, take: max", "code: temperature, take: any", "`take: any` needs", ""),
    ("  hottest:", "  grade: {from: observation, code: temperature}\n  hottest:", "a name of the language's own", "another name"),
    ("kind: inclusion", "kind: include", "`kind` must be one of", "did you mean inclusion?"),
    ("    text: Age 1 to 80\n", "", "`text` is missing", "add `text:`"),
    ("    source: {document: record, section: \"1\"}\n", "", "`source` is missing", "add `source:`"),
    ("source: {document: record, section: \"1\"}", "source: {document: recor}", "unknown source `recor`", "did you mean record?"),
    ("when: ecog in [0, 1, 2]", "when: ecg in [0, 1, 2]", "unknown fact `ecg`", "did you mean ecog?"),
    ("when: ecog in [0, 1, 2]", 'when: ecog in ["0", "1"]', "compared with a text", "without quotes"),
    ("when: ecog in [0, 1, 2]", "when: ecog in [0, 1", "not YAML|not an expression", ""),
    ("when: ecog in [0, 1, 2]", "when: ecog = 1", "not an expression", "=="),
    ("when: ecog in [0, 1, 2]", "when: grade > 2", "unknown fact `grade`", ""),
    ("params.oldest", "params.eldest", "unknown parameter `eldest`", "did you mean oldest?"),
    ("applicable_if: sex", "applicable: sex", "unknown key `applicable`", "did you mean applicable_if?"),
    ('hiv == "positive"', 'hiv == "postive"', 'is never "postive"', "did you mean positive?"),
    ("- id: I3", "- id: I1", "the criterion `I1` stands twice", "first on line"),
    ("- id: S-SAE", "- id: S-FEVER", "the rule `S-FEVER` stands twice", "first on line"),
    ("on: adverse_event", "on: adverse_events", "`on` must be one of", "did you mean adverse_event?"),
    ("severity: critical", "severity: criticl", "`severity` must be one of", "did you mean critical?"),
    ("hold: infusion", "hold: everything", "`hold` must be one of", ""),
    ('detail: "Grade {grade}."', 'detail: "Grade {grad}."', "unknown fact `grad`", "did you mean grade?"),
    ('detail: "Grade {grade}."', 'detail: "Grade {grade."', "a brace without its partner", ""),
    ("title: Fever", 'title: "Fever {hottest}"', "holds no clinical value", "detail"),
    ("when: hottest >= params.fever", "when: hottest >= params.fever && false", "can never fire", ""),
    ("st_tox_crossed", "st_tocks_crossed", "unknown fact", "did you mean st_tox_crossed?"),
    ("method: table", "method: pocockk", "`method` must be one of", ""),
    ("table: [[3, 2], [6, 3]]", "table: [[3, 4]]", "a row of `table`", ""),
    ("table: [[3, 2], [6, 3]]", "table: [[3, 2], [3, 3]]", "must rise", ""),
    ("window_days: 28", "window_days: params.none", "unknown parameter `none`", ""),
    ("given: [adult]", "given: [adlt]", "unknown fixture `adlt`", "did you mean adult?"),
    ("without: [ecog]", "without: [ecg]", "nothing given is `ecg`", "did you mean ecog?"),
    ("decision: indeterminate", "decision: maybe", "`decision` must be one of", ""),
    ("verdicts: {I1: met", "verdicts: {I1: mett", "must be one of", "did you mean met?"),
    ("verdicts: {I1: met", "verdicts: {I9: met", "unknown criterion `I9`", ""),
    ("expect: {decision", "expect: {alerts: [S-FEVR], decision", "unknown rule `S-FEVR`", "did you mean S-FEVER?"),
    ('birth_date: "1980"', 'birth_date: "1980-13"', "/data/birth_date is a date that does not exist", ""),
    ("data: {status: screened}", "data: {status: screend}", "/data/status must be one of", "did you mean screened?"),
    ('time: "2026-01-06T09:00:00+09:00"', 'time: "2026-01-06T09:00:00"', "/time is an instant without", "+09:00"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message", "hint"), FAULTS, ids=[f[2][:40] for f in FAULTS])
def test_a_fault_is_told_with_its_line_and_a_hint(old, new, message, hint):
    text, line = bent(old, new)
    found = complaints(text)
    near = [c for c in found if any(part in c.message for part in message.split("|"))]
    assert near, [str(c) for c in found]
    assert hint in near[0].hint, str(near[0])
    assert near[0].file == "p.yaml"
    # Whoever is told of a whole entry is shown where it begins, at most a few lines above.
    assert line - 8 <= near[0].line <= line + 1, (str(near[0]), line)


def test_every_fault_of_a_file_is_told_at_once_in_the_order_of_the_file():
    text = SMALL.replace("kind: inclusion", "kind: in").replace("severity:", "severty:")
    lines = [complaint.line for complaint in complaints(text)]
    assert len(lines) >= 6
    assert lines == sorted(lines)


def test_a_fault_on_the_second_line_of_a_condition_is_told_there():
    text = SMALL.replace("when: ecog in [0, 1, 2]", "when: |\n      ecog >= 0\n      && ecg <= 2")
    (complaint,) = complaints(text)
    assert abs(complaint.line - line_of(text, "&& ecg")) <= 1


def test_names_that_durable_rules_cannot_tell_apart_are_refused():
    assert fnv1a("costarring") == fnv1a("liquid")
    assert collisions(["costarring", "x", "liquid"]) == [("costarring", "liquid")]
    text = SMALL.replace("{code: unfit,", "{code: costarring,").replace(
        "{code: steroid,", "{code: liquid,"
    )
    assert any(
        "cannot tell the names `costarring` and `liquid`" in c.message for c in complaints(text)
    )


def test_a_condition_too_large_for_the_engine_is_refused():
    many = " && ".join(f"(ecog == {n} || age_years == {n})" for n in range(12))
    text, _ = bent("when: ecog in [0, 1, 2]", f"when: {many}")
    (complaint,) = complaints(text)
    assert "too large for the knowledge base" in complaint.message


def test_a_file_that_is_not_there_or_not_utf8_is_told_like_any_fault(tmp_path):
    with pytest.raises(rules.ProtocolError, match="cannot be read"):
        rules.load(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"vigil: \xff")
    with pytest.raises(rules.ProtocolError, match="not UTF-8"):
        rules.load(tmp_path / "latin.yaml")


def test_verdicts_that_no_scenario_shows_are_listed():
    missing = {(name, verdict) for name, _, verdict in uncovered(rules.loads(SMALL).definition)}
    assert ("I1", "met") not in missing
    assert ("I1", "not_met") in missing
    assert ("E1", "not_applicable") not in missing


def test_the_protocol_is_shown_to_people_and_programs():
    protocol = rules.loads(SMALL)
    text, page = str(rules.show(protocol)), str(rules.show(protocol, "html"))
    data = as_json(protocol)
    assert rules.show(protocol, "json") == data
    for word in ("ECOG 0, 1, 2", "S-FEVER", "hottest >= params.fever", "ST-TOX", "2 of 3"):
        assert word in text
    assert "hottest &gt;= params.fever" in page
    assert "<script" not in page
    assert {code["code"] for code in data["codes"]} >= {"temperature", "response"}
    assert data["codes"][0]["codings"] == [{"system": "http://loinc.org", "code": "8310-5"}]
    assert data["scope_facts"]["trial"]["st_tox_crossed"]["type"] == "boolean"


def test_dates_that_count_need_a_window_to_count_in():
    text, line = bent(
        "  sex: {from: demographics, field: sex}",
        "  sex: {from: demographics, field: sex}\n"
        "  hot: {from: observation, code: temperature, date_only: counts}",
    )
    (complaint,) = complaints(text)
    assert (complaint.line, "needs a `window`" in complaint.message) == (line + 1, True)


def test_what_may_lie_outside_of_its_window_is_not_for_criteria():
    text, _ = bent("window: {months: 6}}", "window: {months: 6}, date_only: counts}")
    (complaint,) = complaints(text)
    assert complaint.line == line_of(SMALL, "- id: E1")
    assert "`infarction`, which has `date_only: counts`" in complaint.message


def test_dates_that_count_are_shown():
    text, _ = bent("window: {hours: 24}}", "window: {hours: 24}, date_only: counts}")
    facts = {one["fact"]: one["date_only"] for one in as_json(rules.loads(text))["facts"]}
    assert (facts["hottest"], facts["infarction"]) == ("counts", "unknown")
