"""What may pass the door, and what the publisher is told when it may not."""

import pytest

import rules
from tests.support.small import SMALL

NOON = 1_767_582_000_000_000  # 2026-01-05T12:00:00+09:00
CHECKER = rules.loads(SMALL).checker

GOOD: list[tuple[str, dict]] = [
    ("observation", {"code": "temperature", "value": 37.2, "unit": "Cel"}),
    ("observation", {"code": "temperature", "value": 37, "unit": "Cel", "baseline": True, "reference_low": 36, "reference_high": 37.5, "method": "ear"}),
    ("observation", {"code": "temperature", "value": 100.4, "unit": "[degF]"}),
    ("observation", {"code": "temperature", "absent": "refused"}),
    ("observation", {"code": "hiv", "value": "negative"}),
    ("observation", {"code": "note", "value": "slept badly"}),
    ("demographics", {"birth_date": "2019-05", "sex": "unknown"}),
    ("consent", {"document": "informed_consent", "given_by": "subject", "version": "2", "status": "given"}),
    ("condition", {"code": "infarction", "status": "active", "onset": "2025", "abatement": "2025-06"}),
    ("procedure", {"code": "angioplasty", "status": "done", "start": "2025-06-01", "end": "2025-06-01"}),
    ("medication", {"code": "steroid", "status": "tapering", "dose": 10, "unit": "mg"}),
    ("medication", {"code": "steroid", "status": "not_taken"}),
    ("administration", {"product": "MSC", "number": 1, "dose": 1e6, "unit": "{cells}", "status": "completed", "start": "2026-01-05T09:00:00+09:00"}),
    ("adverse_event", {"ae": "7", "grade": 3, "serious": True, "seriousness": ["hospitalisation"], "causality": "possible", "onset": "2026-01-01", "resolved": None}),
    ("assessment", {"code": "ecog", "value": 1, "by": "Dr", "expires": "2026-03-01"}),
    ("assessment", {"code": "response", "scores": {"skin": 2, "mouth": 0}}),
    ("enrolment", {"status": "enrolled", "site": "Seoul", "number": 4}),
    ("override", {"criterion": "E1", "by": "Dr", "reason": "seen"}),
    ("death", {"cause": "Sepsis", "causality": "unrelated"}),
    ("correction", {"corrects": {"source": "a", "id": "1"}, "entered_in_error": True}),
    ("correction", {"corrects": {"source": "a", "id": "1"}, "data": {"code": "ecog"}, "time": "2026-01-05T09:00:00Z", "reason": "typo"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), GOOD)
def test_what_the_contract_names_passes_unchanged(kind, data):
    canonical, problems = CHECKER.check(kind, data, NOON)
    assert problems == []
    assert canonical == data


def test_a_coding_becomes_the_declared_code_and_a_coded_value_its_word():
    coding = [{"system": "http://loinc.org", "code": "8310-5"}]
    canonical, problems = CHECKER.check(
        "observation", {"coding": coding, "value": 37, "unit": "Cel"}, NOON
    )
    assert (canonical["code"], problems) == ("temperature", [])
    canonical, problems = CHECKER.check(
        "observation", {"code": "hiv", "value": {"code": "negative", "system": "local"}}, NOON
    )
    assert (canonical["value"], problems) == ("negative", [])
    assert CHECKER.check("assessment", {"code": "ecog", "value": 1.0}, NOON)[0]["value"] == 1


OBS: dict = {"code": "temperature", "value": 37.2, "unit": "Cel"}
# (type, data, pointer, part of the detail or the hint)
BAD: list[tuple] = [
    ("observatoin", OBS, "/type", "did you mean observation?"),
    ("contribution", {}, "/type", "unknown type"),
    ("observation", [], "/data", "must be an object"),
    ("observation", {}, "/data/code", "is required"),
    ("observation", {"code": "temperature"}, "/data/value", "is required"),
    ("observation", OBS | {"code": "temprature"}, "/data/code", "did you mean temperature?"),
    ("observation", OBS | {"code": "ecog"}, "/data/code", "no observation"),
    ("observation", OBS | {"code": 1}, "/data/code", "no observation"),
    ("observation", OBS | {"code": []}, "/data/code", "no observation"),
    ("observation", OBS | {"value": "37.2"}, "/data/value", "must be a number"),
    ("observation", OBS | {"value": True}, "/data/value", "must be a number"),
    ("observation", OBS | {"value": None}, "/data/value", "must be a number"),
    ("observation", OBS | {"value": float("nan")}, "/data/value", "finite"),
    ("observation", OBS | {"value": float("inf")}, "/data/value", "finite"),
    ("observation", OBS | {"value": 10**400}, "/data/value", "too large"),
    ("observation", OBS | {"value": 20}, "/data/value", "not possible"),
    ("observation", OBS | {"value": 45.1}, "/data/value", "at most 45"),
    ("observation", OBS | {"value": 37.0, "unit": "[degF]"}, "/data/value", "not possible"),
    ("observation", OBS | {"unit": "kg"}, "/data/unit", "cannot be converted to Cel"),
    ("observation", OBS | {"unit": "bananas"}, "/data/unit", "cannot be converted to Cel"),
    ("observation", OBS | {"unit": 3}, "/data/unit", "must be a text"),
    ("observation", {"code": "temperature", "value": 37}, "/data/unit", "is required"),
    ("observation", OBS | {"absent": "unknown"}, "/data/absent", "beside"),
    ("observation", {"code": "temperature", "absent": "lost"}, "/data/absent", "one of"),
    ("observation", OBS | {"vaule": 3}, "/data/vaule", "did you mean value?"),
    ("observation", OBS | {"baseline": 1}, "/data/baseline", "true or false"),
    ("observation", OBS | {"reference_low": 3, "reference_high": 2}, "/data/reference_low", "above"),
    ("observation", {"code": "hiv", "value": "postive"}, "/data/value", "did you mean positive?"),
    ("observation", {"code": "hiv", "value": "positive", "unit": "1"}, "/data/unit", "no place"),
    ("observation", {"code": "note", "value": "x\x00"}, "/data/value", "cannot be printed"),
    ("observation", {"code": "note", "value": "\ud800"}, "/data/value", "cannot be printed"),
    ("observation", {"code": "note", "value": "x" * 1001}, "/data/value", "1000 characters"),
    ("observation", {"coding": [{"system": "x", "code": "y"}], "value": 1}, "/data/coding", "no declared code"),
    ("observation", {"coding": "8310-5", "value": 1}, "/data/coding", "list of"),
    ("observation", {"code": "hiv", "coding": [{"system": "http://loinc.org", "code": "8310-5"}], "value": "positive"}, "/data/coding", "another declared code"),
    ("demographics", {}, "/data/birth_date", "is required"),
    ("demographics", {"birth_date": "2019-13"}, "/data/birth_date", "does not exist"),
    ("demographics", {"birth_date": "2019-02-29"}, "/data/birth_date", "does not exist"),
    ("demographics", {"birth_date": "1066"}, "/data/birth_date", "is not a date"),
    ("demographics", {"birth_date": 1980}, "/data/birth_date", "as a text"),
    ("demographics", {"birth_date": "2027"}, "/data/birth_date", "after the event's time"),
    ("demographics", {"birth_date": "2019-05-01T00:00:00Z"}, "/data/birth_date", "without a time"),
    ("demographics", {"sex": "M"}, "/data/sex", "one of female"),
    ("consent", {"document": "consent", "given_by": "subject", "status": "given"}, "/data/document", "did you mean"),
    ("condition", {"code": "infarction", "status": "gone"}, "/data/status", "one of"),
    ("condition", {"code": "infarction", "status": "resolved", "onset": "2025-06", "abatement": "2025-05"}, "/data/abatement", "ends before `onset`"),
    ("procedure", {"code": "angioplasty", "status": "done", "start": "2025-06-01T09:00:00"}, "/data/start", "without a valid offset"),
    ("medication", {"code": "steroid", "status": "started", "dose": -1}, "/data/dose", "below 0"),
    ("administration", {"number": 0, "status": "completed"}, "/data/number", "whole number"),
    ("administration", {"number": 1, "status": "completed", "start": "2026-01-05T09:00:00Z", "end": "2026-01-05T08:59:59Z"}, "/data/end", "ends before"),
    ("adverse_event", {"grade": 3}, "/data/ae", "is required"),
    ("adverse_event", {"ae": "1", "grade": 6}, "/data/grade", "from 1 to 5"),
    ("adverse_event", {"ae": "1", "grade": 2.5}, "/data/grade", "from 1 to 5"),
    ("adverse_event", {"ae": "1", "grade": "3"}, "/data/grade", "must be a number"),
    ("adverse_event", {"ae": "1", "causality": "maybe"}, "/data/causality", "one of"),
    ("adverse_event", {"ae": None}, "/data/ae", "must be a text"),
    ("assessment", {"code": "ecog", "value": 2.5}, "/data/value", "whole number"),
    ("assessment", {"code": "unfit", "value": "no"}, "/data/value", "true or false"),
    ("assessment", {"code": "ecog", "scores": {"skin": 1}}, "/data/scores", "must be a `value`"),
    ("assessment", {"code": "response", "scores": {"skin": 4}}, "/data/scores", "from 0 to 3"),
    ("assessment", {"code": "response", "value": 3}, "/data/value", "must be `scores`"),
    ("enrolment", {"status": "enroled"}, "/data/status", "did you mean enrolled?"),
    ("override", {"criterion": "I1", "by": "x", "reason": "y"}, "/data/criterion", "cannot be waived"),
    ("override", {"criterion": "E9", "by": "x", "reason": "y"}, "/data/criterion", "no criterion"),
    ("override", {"criterion": [], "by": "x", "reason": "y"}, "/data/criterion", "no criterion"),
    ("correction", {"corrects": {"source": "a", "id": "1"}}, "/data/data", "is required"),
    ("correction", {"corrects": {"id": "1"}, "entered_in_error": True}, "/data/corrects", "source, id"),
    ("correction", {"corrects": {"source": "a", "id": "1"}, "entered_in_error": False}, "/data/entered_in_error", "must be true"),
    ("correction", {"corrects": {"source": "a", "id": "1"}, "entered_in_error": True, "data": {}}, "/data/data", "beside"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "pointer", "said"), BAD)
def test_what_cannot_be_is_refused_with_its_place_and_a_reason(kind, data, pointer, said):
    _, problems = CHECKER.check(kind, data, NOON)
    told = [f"{detail} {hint}" for where, detail, hint in problems if where == pointer]
    assert told, problems
    assert any(said in line for line in told), problems


def test_no_problem_repeats_a_value():
    secret = "S3CR3T-VALUE"
    for kind, data in GOOD:
        for key in data:
            _, problems = CHECKER.check(kind, data | {key: secret}, NOON)
            assert secret not in str(problems)


def test_the_publishers_own_data_are_left_alone():
    data = {
        "coding": [{"system": "http://loinc.org", "code": "8310-5"}],
        "value": 37,
        "unit": "Cel",
    }
    before = dict(data)
    CHECKER.check("observation", data, NOON)
    assert data == before
