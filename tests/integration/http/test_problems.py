"""Every error is a problem document, and none of them tells what was sent."""

import io
import json
import logging

import pytest

SECRET = "188.5"


@pytest.fixture
def database_url(sqlite_url):
    """The shape of errors does not depend on the store."""
    return sqlite_url


@pytest.fixture
def clinician(house):
    return house.door("clinician")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/v1/trials/no such name", None, 404),
        ("GET", "/v1/trials/%00", None, 404),
        ("PUT", "/v1/trials", None, 405),
        ("OPTIONS", "/v1/trials", None, 405),
        ("GET", "/v1/trials/nowhere", None, 404),
        ("GET", "/v1/alerts/al_nothing", None, 404),
        ("GET", "/v1/alerts?limit=0", None, 422),
        ("GET", "/v1/alerts?limit=many", None, 422),
        ("GET", "/v1/alerts?severity=awful", None, 422),
        ("GET", "/v1/alerts?since=-1", None, 422),
        ("GET", "/v1/alerts?since=99999999999999999999", None, 422),
        ("GET", "/v1/alerts?subject=%00", None, 422),
        ("GET", "/v1/alerts?asof=now", None, 422),
        ("GET", "/v1/alerts?cursor=nonsense", None, 422),
        ("GET", "/v1/trials?cursor=%00", None, 422),
        ("GET", "/v1/trials/msc-cgvhd/subjects?q=%00", None, 422),
        ("GET", "/v1/trials/msc-cgvhd/subjects/S-1/eligibility?as_of=yesterday", None, 422),
        (
            "GET",
            "/v1/trials/msc-cgvhd/subjects/S-1/eligibility?as_of=2026-03-02T08:15:00",
            None,
            422,
        ),
        ("GET", "/v1/alerts?trial=../msc", None, 422),
        ("GET", "/v1/trials/msc-cgvhd/protocols/1.0/diff?against=%FF", None, 422),
        ("GET", "/v1/trials/msc-cgvhd/subjects/S-1/worklist?asof=now", None, 422),
        *(
            ("GET", f"/v1/trials/msc-cgvhd/subjects/S-1/{view}?as_of={far}", None, 422)
            for view in ("eligibility", "explanation", "worklist")
            for far in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00%2B23:59")
        ),
        ("POST", "/v1/alerts/al_x/comment", b"{}", 422),
        ("POST", "/v1/alerts/al_x/comment", b'{"note": 5}', 422),
        ("POST", "/v1/alerts/al_x/comment", b'{"note": "a", "note": "b"}', 400),
        ("POST", "/v1/alerts/al_x/comment", b'{"note": ', 400),
        ("POST", "/v1/alerts/al_x/comment", b"[]", 422),
        ("POST", "/v1/alerts/al_x/comment", b'{"note": "\\u0000"}', 422),
        ("POST", "/v1/alerts/al_x/comment", b'{"note": "ok", "extra": 1}', 422),
    ],
)
def test_an_error_is_a_problem_document(clinician, method, path, body, status):
    answer = clinician.call(method, path, data=body, content_type="application/json")
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    problem = json.loads(answer.data)
    assert problem["status"] == status
    assert {"type", "title", "request_id"} <= problem.keys()
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    if status == 422:
        assert all(
            {"index", "pointer", "detail", "hint"} == error.keys() for error in problem["errors"]
        )
    if status == 405:
        assert answer.headers["Allow"]


def test_a_content_type_that_is_not_read_is_415(clinician):
    answer = clinician.post("/v1/alerts/al_x/comment", data=b"note=x", content_type="text/plain")
    assert answer.status_code == 415


def test_a_body_over_ten_mebibytes_is_413_before_it_is_read(house):
    class Open(io.BytesIO):
        def close(self):
            """Stay open, to be asked how far it was read."""

    body = Open(b"x" * 20 * 1024 * 1024)
    answer = house.door("publisher").post(
        "/v1/events",
        input_stream=body,
        content_length=1024**3,
        content_type="application/json",
    )
    assert answer.status_code == 413
    # So much is thrown away, so that whoever is still sending gets to read the answer.
    assert body.tell() == 16 * 1024 * 1024


def test_an_unexpected_error_tells_an_id_and_nothing_else(house, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise RuntimeError(f"diastolic_bp of S-001 is {SECRET}")

    monkeypatch.setattr("services.reading.trials.listed", broken)
    with caplog.at_level(logging.INFO):
        answer = house.door("clinician").get("/v1/trials")
    assert answer.status_code == 500
    problem = json.loads(answer.data)
    assert SECRET not in answer.text
    assert "S-001" not in answer.text
    assert "Traceback" not in answer.text
    logged = "\n".join(str(record.msg) for record in caplog.records)
    assert problem["error_id"] in logged
    assert "RuntimeError" in logged
    assert SECRET not in logged
    assert "S-001" not in logged


def test_the_log_names_the_route_and_never_the_subject(house, caplog):
    with caplog.at_level(logging.INFO):
        house.door("clinician").get("/v1/trials/msc-cgvhd/subjects/S-777?x=S-888")
        house.door("clinician").get("/v1/trials/msc-cgvhd/subjects?q=S-999")
    logged = "\n".join(str(record.msg) for record in caplog.records)
    assert "/v1/trials/<name:trial>/subjects/<name:subject>" in logged
    assert not any(name in logged for name in ("S-777", "S-888", "S-999"))


def test_answers_are_not_cached_and_carry_their_request_id(clinician):
    answer = clinician.get("/v1/trials")
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.headers["X-Request-Id"]) == 32
