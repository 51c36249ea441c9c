"""eDISH over HTTP and on the trial's page: where every subject's highest liver values lie."""

import pytest

from services.http.schemas.edish import EdishPage

EDISH = "/v1/trials/msc-cgvhd/edish"
FIGURE = "/trials/msc-cgvhd/edish/edish.svg"


@pytest.fixture
def clinician(house):
    return house.door("clinician")


@pytest.fixture
def measured(house, make_event):
    """Publishes liver values of subjects: (subject, code, value, limit or None, time)."""
    numbers = iter(range(1, 1000))

    def publish(*rows):
        events = []
        for subject, code, value, limit, time in rows:
            unit = "mg/dL" if code == "bilirubin" else "U/L"
            told = {"code": code, "value": value, "unit": unit}
            told |= {} if limit is None else {"reference_high": limit}
            events.append(
                make_event(next(numbers), "observation", told, subject=subject, time=time)
            )
        answer = house.publish(*events)
        assert answer.status_code == 202, answer.json
        house.evaluate()

    return publish


def day(number):
    return f"2026-03-{number:02d}T08:00:00+09:00"


def one(clinician):
    (found,) = clinician.get(EDISH).json["items"]
    return found


def by_subject(clinician):
    return {it["subject"]: it for it in one(clinician)["subjects"]}


def test_each_subject_lies_in_the_quadrant_of_its_highest_values(clinician, measured):
    measured(
        ("S-HY", "alt", 200, 40, day(2)), ("S-HY", "bilirubin", 3.6, 1.2, day(4)),
        ("S-TEMPLE", "ast", 120, 40, day(2)), ("S-TEMPLE", "bilirubin", 1.2, 1.2, day(2)),
        ("S-COLD", "alt", 40, 40, day(2)), ("S-COLD", "bilirubin", 2.4, 1.2, day(2)),
        ("S-NORMAL", "alt", 119, 40, day(2)), ("S-NORMAL", "bilirubin", 2.3, 1.2, day(2)),
    )  # fmt: skip
    found = {name: it["quadrant"] for name, it in by_subject(clinician).items()}
    assert found == {
        "S-HY": "hy",
        "S-TEMPLE": "temple",
        "S-COLD": "cholestasis",
        "S-NORMAL": "normal",
    }
    assert one(clinician)["counts"] == dict.fromkeys(
        ("hy", "temple", "cholestasis", "normal"), 1
    ) | {"unknown": 0}


def test_the_highest_multiple_counts_and_not_the_highest_value(clinician, measured):
    measured(
        ("S-1", "alt", 150, 50, day(2)),
        ("S-1", "ast", 140, 35, day(3)),
        ("S-1", "bilirubin", 1.2, 1.2, day(3)),
        ("S-1", "alt", 20, 50, day(9)),
    )
    found = by_subject(clinician)["S-1"]
    at = found["transaminase"]
    assert at["unit"] == "U/L"
    assert (at["test"], at["value"], at["upper_limit"], at["times_upper_limit"]) == (
        "ast",
        140,
        35,
        4,
    )
    assert at["time"] == "2026-03-02T23:00:00Z"
    assert found["bilirubin"]["times_upper_limit"] == 1


def test_who_cannot_be_placed_is_listed_with_the_reason(house, clinician, measured, make_event):
    measured(
        ("S-NO-LIMIT", "alt", 200, None, day(2)), ("S-NO-LIMIT", "bilirubin", 1.2, 1.2, day(2)),
        ("S-NO-BILI", "alt", 200, 40, day(2)),
    )  # fmt: skip
    house.publish(make_event(900, "enrolment", {"status": "screened"}, subject="S-NOTHING"))
    house.evaluate()
    house.publish(make_event(901, "enrolment", {"status": "screened"}, subject="S-WAITS"))
    found = by_subject(clinician)
    assert {name: (it["quadrant"], it["unplaced"]) for name, it in found.items()} == {
        "S-NO-BILI": (None, "not_measured"),
        "S-NO-LIMIT": (None, "limits_missing"),
        "S-NOTHING": (None, "not_measured"),
        "S-WAITS": (None, "not_evaluated"),
    }
    assert found["S-NO-LIMIT"]["limits_missing"] == ["alt"]
    assert found["S-NO-BILI"]["transaminase"]["times_upper_limit"] == 5
    assert found["S-WAITS"]["pending"] == 1
    assert one(clinician)["counts"]["unknown"] == 4


def test_cholestasis_is_recorded_excluded_or_unknown_beside_what_fits_hys_law(clinician, measured):
    for subject in ("S-REC", "S-EXC", "S-UNK"):
        measured(
            (subject, "alt", 200, 40, day(2)),
            (subject, "bilirubin", 3.6, 1.2, day(4)),
        )
    measured(("S-REC", "alp", 300, 120, day(2)), ("S-EXC", "alp", 100, 120, day(2)))
    measured(("S-LATE", "alt", 200, 40, day(2)), ("S-LATE", "bilirubin", 1.0, 1.2, day(2)))
    measured(("S-LATE", "bilirubin", 3.6, 1.2, day(28)))
    found = by_subject(clinician)
    assert {name: (it["hys_law"], it["cholestasis"]) for name, it in found.items()} == {
        "S-REC": ("cholestatic", "recorded"),
        "S-EXC": ("candidate", "excluded"),
        "S-UNK": ("cholestasis_unknown", "unknown"),
        "S-LATE": ("none", None),
    }
    assert found["S-LATE"]["quadrant"] == "hy"  # the peaks, weeks apart
    assert "ALT 5 x ULN" in found["S-EXC"]["note"]


def test_an_abnormal_baseline_is_told_as_multiples_of_it(house, clinician, measured, make_event):
    measured(("S-1", "alt", 80, 40, day(1)), ("S-1", "bilirubin", 1.0, 1.2, day(1)))
    infusion = {"product": "MSC", "number": 1, "status": "completed"}
    house.publish(make_event(800, "administration", infusion, subject="S-1", time=day(2)))
    measured(("S-1", "alt", 200, 40, day(5)), ("S-1", "bilirubin", 1.1, 1.2, day(5)))
    found = by_subject(clinician)["S-1"]
    assert (found["transaminase_over_baseline"], found["bilirubin_over_baseline"]) == (2.5, None)


def test_a_value_entered_in_error_moves_the_subject_back(house, clinician, measured, make_event):
    measured(("S-1", "alt", 20, 40, day(1)), ("S-1", "bilirubin", 1.0, 1.2, day(1)))
    measured(("S-1", "alt", 200, 40, day(2)))
    assert by_subject(clinician)["S-1"]["quadrant"] == "temple"
    wrong = {"corrects": {"source": "https://lis.example/", "id": "e-3"}, "entered_in_error": True}
    house.publish(make_event(700, "correction", {**wrong, "reason": "x"}, subject="S-1"))
    house.evaluate()
    assert by_subject(clinician)["S-1"]["quadrant"] == "normal"


def test_the_limits_and_the_instant_are_told_and_the_schema_holds(clinician, measured):
    measured(("S-1", "alt", 200, None, day(2)), ("S-1", "bilirubin", 1.0, 1.2, day(2)))
    body = clinician.get(EDISH).json
    assert EdishPage().validate(body) == {}
    assert (body["items"][0]["transaminase_limit"], body["items"][0]["bilirubin_limit"]) == (3, 2)
    assert body["as_of"].endswith("Z")


@pytest.fixture
def four(measured):
    """One in each quadrant, and one without a limit."""
    measured(
        ("S-HY", "alt", 200, 40, day(2)), ("S-HY", "bilirubin", 3.6, 1.2, day(4)),
        ("S-TEMPLE", "ast", 120, 40, day(2)), ("S-TEMPLE", "bilirubin", 1.2, 1.2, day(2)),
        ("S-COLD", "alt", 40, 40, day(2)), ("S-COLD", "bilirubin", 2.4, 1.2, day(2)),
        ("S-NORMAL", "alt", 119, 40, day(2)), ("S-NORMAL", "bilirubin", 2.3, 1.2, day(2)),
        ("S-NO-LIMIT", "alt", 200, None, day(2)), ("S-NO-LIMIT", "bilirubin", 1.2, 1.2, day(2)),
    )  # fmt: skip


def test_the_trials_page_draws_them_and_names_who_has_no_place(clinician, four):
    text = clinician.get("/trials/msc-cgvhd").text
    told = text.partition('id="edish"')[2].partition('id="conduct"')[0]
    assert 'alt="Highest transaminase against highest bilirubin of 5 subjects' in told
    assert "<strong>1 unknown</strong>" in told
    assert "Not drawn: 1 without both multiples" in told
    order = [told.index(f"/subjects/{name}") for name in ("S-HY", "S-TEMPLE", "S-COLD")]
    order += [told.index("/subjects/S-NO-LIMIT"), told.index("/subjects/S-NORMAL")]
    assert order == sorted(order)
    assert "unknown: an upper limit is missing" in told


def test_the_figure_is_for_those_who_may_see_subjects(house, clinician, four):
    figure = clinician.get(FIGURE)
    assert (figure.status_code, figure.content_type) == (200, "image/svg+xml")
    assert "S-HY" in figure.text
    assert "default-src 'none'" in figure.headers["Content-Security-Policy"]
    assert house.door("ops").get(FIGURE).status_code == 403
    assert 'id="edish"' not in house.door("ops").get("/trials/msc-cgvhd").text
    assert clinician.get(FIGURE.replace("edish.svg", "none.svg")).status_code == 404
