"""The pages without a browser: what they show, to whom, and that they work without scripts."""

from __future__ import annotations

import re
from html import unescape

import pytest

from services import holding
from services.accounts import people
from services.clock import iso, now_us
from services.web import stopping

PASSWORD = "correct horse battery"
GRADE_3 = {
    "ae": "AE-1",
    "term": "Pyrexia",
    "grade": 3,
    "causality": "related",
    "serious": True,
    "onset": "2026-03-02",
}
HOSTILE = "<img src=x onerror=alert(1)>\"'</q><script>alert(1)</script>"


def first(pattern, text):
    """What the pattern's group found."""
    found = re.search(pattern, text)
    assert found
    return found[1]


@pytest.fixture
def database_url(sqlite_url):
    """Pages do not depend on the store."""
    return sqlite_url


class Person:
    """Somebody who signed in."""

    def __init__(self, house, role, **others):
        name = f"{role}-{len(people.every(house.services.database))}"
        people.create(
            house.services.database,
            name,
            role=role,
            password=PASSWORD,
            by="test",
            now_us=now_us(),
            **others,
        )
        self.client = house.app.test_client()
        self.client.post("/sign-in", data={"name": name, "password": PASSWORD})
        self.csrf = first(r'data-csrf="([^"]+)"', self.get("/"))

    def get(self, path, status=200):
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def press(self, path, **form):
        return self.client.post(path, data={"csrf": self.csrf, **form})


@pytest.fixture
def clinician(house):
    return Person(house, "clinician", person="the investigator")


@pytest.fixture
def story(house, make_event):
    """S-001 with a serious event and a screening, S-002 enrolled without any data."""
    house.publish(
        make_event(1, "adverse_event", GRADE_3),
        make_event(2, "enrolment", {"status": "screened", "site": "A"}),
        make_event(3, "enrolment", {"status": "enrolled", "site": "A"}, subject="S-002"),
        make_event(4, "observation", {"code": "body_temperature", "value": 38.9, "unit": "Cel"}),
    )
    house.evaluate()
    items = house.door("clinician").get("/v1/alerts").json["items"]
    return {item["rule"]: item for item in items}


def severities(text):
    return re.findall(r'data-severity="(\w+)"', text)


def test_the_inbox_shows_the_most_severe_first_then_the_oldest(clinician, story):
    shown = severities(clinician.get("/"))
    order = ["critical", "serious", "warning", "info"]
    assert shown == sorted(shown, key=order.index)
    still_open = {rule for rule, item in story.items() if item["status"] == "open"}
    assert len(shown) >= len(still_open) > 2  # two clocks of one event are told by one rule
    assert f"<title>({len(shown)}) Vigil</title>" in clinician.get("/")


def test_a_card_says_all_that_a_decision_needs(clinician, story):
    alert = story["S-SAE"]
    text = unescape(clinician.get("/"))
    for part in ("title", "detail", "action", "source_text", "rule", "subject", "trial"):
        assert alert[part] in text, part
    assert "2 Mar 2026, 00:00 KST" in text
    for item in alert["evidence"]:
        assert item["fact"].replace("_", " ") in text
    assert '<th scope="col">Unit</th>' in text


def test_a_severity_is_a_word_and_a_sign_and_never_a_colour_alone(clinician, story):
    card = clinician.get(f"/alerts/{story['S-SAE']['id']}/card")
    assert re.search(
        r'<span class="severity serious"><svg[^>]*aria-hidden="true".*?</svg>Serious<', card
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("severity=serious", True),
        ("severity=critical", False),
        ("category=safety", True),
        ("category=conduct", False),
        ("status=open", True),
        ("status=any", True),
        ("status=resolved", False),
        ("trial=msc-cgvhd", True),
        ("severity=nonsense&trial=nowhere", True),
    ],
)
def test_filters_stand_in_the_address(clinician, story, query, found):
    assert (story["S-SAE"]["id"] in clinician.get(f"/?{query}")) is found


def test_an_alert_of_its_own_page_has_history_and_deliveries(clinician, story):
    text = clinician.get(f"/alerts/{story['S-SAE']['id']}")
    assert "opened" in text
    assert "No subscription asked for this alert." in text


def test_without_scripts_plain_forms_acknowledge_comment_and_resolve(clinician, story):
    path = f"/alerts/{story['S-SAE']['id']}"
    answer = clinician.press(f"{path}/acknowledge", note="seen", next="/?severity=serious")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?severity=serious")
    assert "seen" in clinician.get(path)
    assert story["S-SAE"]["id"] not in clinician.get("/")
    clinician.press(f"{path}/comment", note="told the sponsor")
    clinician.press(f"{path}/resolve", note="over", next="//evil.example")
    text = clinician.get(path)
    assert "told the sponsor" in text
    assert "<strong>Resolved</strong> (manual) by the investigator" in text
    assert f"{path}/resolve" not in text


def test_a_comment_says_something_and_nothing_is_too_long(clinician, story):
    path = f"/alerts/{story['S-SAE']['id']}/comment"
    assert clinician.press(path, note=" ").status_code == 422
    assert clinician.press(path, note="x" * 2001).status_code == 422
    assert clinician.press(path, note="\x00").status_code == 422


def test_hostile_words_stay_words(house, clinician, story, make_event):
    path = f"/alerts/{story['S-SAE']['id']}"
    clinician.press(f"{path}/acknowledge", note=HOSTILE)
    event = make_event(9, "adverse_event", GRADE_3 | {"ae": "AE-9", "term": HOSTILE})
    assert house.publish(event).status_code == 202
    house.evaluate()
    for page in (path, "/?status=any", "/trials/msc-cgvhd/subjects/S-001", f"{path}/card"):
        text = clinician.get(page)
        assert "<img src=x" not in text
        assert "<script>alert" not in text
    assert HOSTILE in unescape(clinician.get(path))
    assert HOSTILE in unescape(clinician.get("/trials/msc-cgvhd/subjects/S-001"))
    search = clinician.get("/trials/msc-cgvhd?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in search


def test_an_operator_sees_no_clinical_value_anywhere(house, clinician, story):
    alert = story["EL-ENROLLED-NOT-ELIGIBLE"]
    clinician.press(f"/alerts/{alert['id']}/acknowledge", note="words of a person")
    ops = Person(house, "ops")
    pages = ["/", "/?status=any", "/trials", "/trials/msc-cgvhd", "/trials/msc-cgvhd/protocol"]
    pages += ["/operations"]
    for item in story.values():
        pages += [f"/alerts/{item['id']}", f"/alerts/{item['id']}/card"]
    for page in pages:
        text = unescape(ops.get(page))
        assert "words of a person" not in text, page
        assert "38.9" not in text, page
        for item in story.values():
            assert item["detail"] not in text, page
        assert not re.search(r'<th scope="col">(Value|Unit|Note)<', text), page
        assert "/acknowledge" not in text, page
    assert "403" not in ops.get("/trials/msc-cgvhd/subjects/S-001", 403)
    assert ops.press(f"/alerts/{alert['id']}/acknowledge").status_code == 403


def listed_subjects(text):
    return re.findall(r"subjects/(S-\d+)", text.partition('id="subjects"')[2])


def test_the_trial_names_its_protocol_deviations(clinician, story):
    text = clinician.get("/trials/msc-cgvhd")
    named = text.partition('id="conduct"')[2].partition('id="subjects"')[0]
    assert "1 major, 1 minor" in named
    assert "Subject was enrolled without being eligible" in named
    assert 'href="/trials/msc-cgvhd/subjects/S-002"' in named


def test_the_trial_shows_enrolment_open_alerts_stopping_rules_and_subjects(clinician, story):
    text = clinician.get("/trials/msc-cgvhd")
    assert re.search(r"1 <span class=\"quiet\">of 10</span>", text)
    assert "Stop if" in text
    assert 'href="/?trial=msc-cgvhd&amp;severity=critical"' in text
    assert listed_subjects(text) == ["S-001", "S-002"]
    assert listed_subjects(clinician.get("/trials/msc-cgvhd?q=002")) == ["S-002"]
    assert "No subject has this in its id." in clinician.get("/trials/msc-cgvhd?q=zzz")


def test_a_held_trial_says_so_and_by_whom(house, clinician, story):
    database = house.services.database
    holding.suspend(
        database, "msc-cgvhd", "enrolment", "the investigator", "the board decides", now_us()
    )
    text = clinician.get("/trials/msc-cgvhd")
    assert "Enrolment is held" in text
    assert "the board decides" in text
    assert "the board decides" not in Person(house, "ops").get("/trials/msc-cgvhd")


def test_the_subject_shows_its_laboratory_with_grades_and_the_change(house, clinician, make_event):
    alt = {"code": "alt", "unit": "U/L", "reference_high": 40}
    start = {"number": 1, "status": "completed", "start": "2026-03-09T10:00:00+09:00"}
    potassium = {"code": "potassium", "value": 3.2, "unit": "mmol/L", "reference_low": 3.5}
    house.publish(
        make_event(1, "observation", {**alt, "value": 30}, time="2026-03-08T08:00:00+09:00"),
        make_event(2, "administration", start, time="2026-03-09T11:00:00+09:00"),
        make_event(3, "observation", {**alt, "value": 210}, time="2026-03-10T08:00:00+09:00"),
        make_event(4, "observation", potassium, time="2026-03-10T08:00:00+09:00"),
        make_event(5, "observation", {"code": "sodium", "value": 140, "unit": "mmol/L"}),
    )
    house.evaluate()
    text = unescape(clinician.get("/trials/msc-cgvhd/subjects/S-001"))
    shown = text.partition('id="laboratory"')[2].partition('id="timeline"')[0]
    assert "+600 %" in shown
    assert "+3 grades" in shown
    assert "grade 3" in shown
    assert "Alanine aminotransferase increased" in shown
    assert "grade 1 to 2" in shown
    assert "not graded" in shown


def test_the_subject_shows_its_checklist_what_is_missing_and_what_happened(clinician, story):
    text = unescape(clinician.get("/trials/msc-cgvhd/subjects/S-001"))
    assert "<strong>Ineligible</strong>" in text
    assert "✗ Not satisfied" in text
    assert len(re.findall(r'<th scope="row"[^>]*>[IE]\d', text)) == 16
    assert "Missing: ecog" in text
    assert "data are missing" in text
    assert "Pyrexia" in text
    assert "38.9" in text


def test_the_protocol_is_shown_as_a_person_reads_it(clinician, story):
    text = clinician.get("/trials/msc-cgvhd/protocol")
    assert text.count("<h1>") == 1
    assert "Inclusion criteria" in text
    assert 'id="E9"' in text
    assert clinician.get("/trials/msc-cgvhd/protocol/1.0") == text
    clinician.get("/trials/msc-cgvhd/protocol/9.9", 404)


def test_operations_show_parts_queues_and_dead_letters(house, story):
    text = Person(house, "ops").get("/operations")
    for part in ("database", "broker", "Queues", "evaluate", "Dead letters", "Subscriptions"):
        assert part in text


def test_what_lies_outside_a_persons_trials_does_not_exist_for_it(house, story):
    other = Person(house, "clinician", trials=["other"])
    assert story["S-SAE"]["id"] not in other.get("/?status=any")
    other.get(f"/alerts/{story['S-SAE']['id']}", 404)
    other.get("/trials/msc-cgvhd", 403)
    assert "msc-cgvhd" not in other.get("/trials")
    assert other.press(f"/alerts/{story['S-SAE']['id']}/resolve").status_code == 404


def test_what_is_not_there_is_a_page_that_leads_on(clinician):
    for path in ("/alerts/al_none", "/trials/nowhere", "/trials/msc-cgvhd/subjects/S-404"):
        assert 'href="/">To the inbox' in clinician.get(path, 404)
    assert "This cannot be taken." in clinician.get("/trials/msc-cgvhd?cursor=nonsense", 422)


def test_every_field_has_a_label_every_table_headers_and_every_page_one_heading(clinician, story):
    paths = ["/", "/trials", "/trials/msc-cgvhd", "/trials/msc-cgvhd/subjects/S-001"]
    for path in [*paths, f"/alerts/{story['S-SAE']['id']}", "/trials/msc-cgvhd/protocol"]:
        text = clinician.get(path)
        assert text.count("<h1") == 1, path
        assert text.count("<main") == 1
        assert 'href="#content"' in text
        labels = set(re.findall(r'<label[^>]* for="([^"]+)"', text))
        fields = re.findall(r"<(?:input|select|textarea)(?![^>]*hidden)([^>]*)>", text)
        for field in fields:
            assert first(r'id="([^"]+)"', field) in labels, (path, field)
        for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
            assert "<caption" in table
            assert '<th scope="col"' in table
        for name in re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', text):
            assert f'id="{name}"' in text
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path


def infused(make_event, subject, number, at):
    data = {"product": "MSC", "number": 1, "status": "completed", "start": at, "end": at}
    return make_event(number, "administration", data, subject=subject, time=at)


@pytest.fixture
def crossed(house, make_event):
    """Two of two with a related serious event of grade 3 after their infusion; a third pends."""
    for number, subject in enumerate(("S-001", "S-002"), start=1):
        at = f"2026-03-{2 + number:02d}T10:00:00+09:00"
        told = GRADE_3 | {"ae": f"AE-{number}", "onset": at}
        house.publish(
            infused(make_event, subject, 10 * number, f"2026-03-{1 + number:02d}T09:00:00+09:00"),
            make_event(10 * number + 1, "adverse_event", told, subject=subject, time=at),
        )
    an_hour_ago = iso(now_us() - 3600 * 1_000_000)
    house.publish(infused(make_event, "S-003", 40, an_hour_ago))
    house.evaluate()


BOUNDARY = "/trials/msc-cgvhd/stopping/ST-TOX/boundary.svg"


def test_the_figure_shows_the_crossing_and_is_drawn_again_only_for_other_content(
    clinician, crossed
):
    answer = clinician.client.get(BOUNDARY)
    assert answer.content_type.startswith("image/svg+xml")
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'id="reached"' in answer.text
    before = stopping._drawn.cache_info().misses
    assert clinician.get(BOUNDARY) == answer.text
    assert stopping._drawn.cache_info().misses == before
    assert clinician.get(f"{BOUNDARY}?shape=narrow") != answer.text


def test_a_figure_that_is_not_there_is_a_404(clinician, story):
    clinician.get("/trials/msc-cgvhd/stopping/ST-NONE/boundary.svg", 404)
    clinician.get("/trials/msc-cgvhd/stopping/ST-TOX/other.svg", 404)


def test_the_trials_page_has_the_figure_the_sentence_and_who_is_pending(clinician, crossed):
    text = unescape(clinician.get("/trials/msc-cgvhd"))
    assert f'src="{BOUNDARY}?v=' in text
    assert "The boundary is reached" in text
    assert "2 events in 2 evaluable subjects" in text
    assert re.search(r"Not yet evaluable.*S-003", text, re.DOTALL)


def test_the_trials_page_says_what_would_stop_before_it_does(clinician, story):
    text = clinician.get("/trials/msc-cgvhd")
    assert "Stop if 2 more of the next 2 evaluable subjects (both) have an event" in text


def test_the_report_has_figure_parameters_source_version_and_time(clinician, crossed):
    text = unescape(clinician.get("/trials/msc-cgvhd/report"))
    for part in (BOUNDARY, "version 1.0", "As of", "51 days", "posterior probability", "Holds so"):
        assert part in text, part
    for name, value in (("threshold", "0.95"), ("prior", "0.4, 1.6"), ("n", "10")):
        assert f"<dt>{name}</dt><dd>{value}</dd>" in text


def test_operators_see_no_figure_no_report_and_no_form(house, crossed):
    ops = Person(house, "ops")
    ops.get(BOUNDARY, 403)
    ops.get("/trials/msc-cgvhd/report", 403)
    text = ops.get("/trials/msc-cgvhd")
    assert "/resume" not in text
    assert "/suspend" not in text
    assert "boundary.svg" not in text


def test_one_person_holds_the_trial_and_two_let_it_go_on_by_the_pages_forms(house, clinician):
    hold, resume = "/trials/msc-cgvhd/suspend", "/trials/msc-cgvhd/resume"
    assert clinician.press(hold, what="trial", reason=" ").status_code == 422
    assert "Say why" in clinician.press(hold, what="trial", reason="").text
    assert clinician.press(hold, what="trial", reason="a fall").status_code == 303
    house.evaluate()
    text = clinician.get("/trials/msc-cgvhd")
    assert "The trial is</strong>" in text or "The trial is held" in text
    assert "a fall" in text
    assert "Ask to resume" in text
    assert clinician.press(resume, reason="it was none").status_code == 303
    assert "You asked to resume" in clinician.get("/trials/msc-cgvhd")
    again = clinician.press(resume, reason="it was none")
    assert again.status_code == 409
    assert "A different person must ask the same" in again.text
    second = Person(house, "clinician", person="the second investigator")
    assert "Agree to resume" in second.get("/trials/msc-cgvhd")
    assert second.press(resume, reason="agreed").status_code == 303
    house.evaluate()
    assert 'class="tag open"' in second.get("/trials/msc-cgvhd")
    assert "agreed" in second.get("/trials/msc-cgvhd")


def test_the_trials_page_and_the_inbox_say_until_when_reports_are_due(house, clinician, make_event):
    assert "None is owed." in clinician.get("/trials/msc-cgvhd")
    told = {"ae": "AE-1", "term": "Vertigo", "serious": True, "causality": "unrelated"}
    for number, (subject, hours) in enumerate({"S-001": 2, "S-002": 30}.items(), start=1):
        told["aware_at"] = iso(now_us() - hours * 3_600_000_000)
        house.publish(make_event(number, "adverse_event", dict(told), subject=subject))
    house.evaluate()
    text = clinician.get("/trials/msc-cgvhd")
    assert text.index("<strong>overdue</strong>") < text.index("<td>running</td>")
    due = r"<strong>Due</strong> <time[^>]*>[^<]*</time> <span[^>]*>\(in 2[12] h\)"
    assert re.search(due, clinician.get("/"))


def test_the_subjects_page_says_until_when_its_reports_are_due(house, clinician, make_event):
    told = {"term": "Vertigo", "serious": True, "causality": "unrelated"}
    for number, (subject, hours) in enumerate((("S-001", 2), ("S-001", 30), ("S-002", 2)), start=1):
        told |= {"ae": f"AE-{number}", "aware_at": iso(now_us() - hours * 3_600_000_000)}
        house.publish(make_event(number, "adverse_event", dict(told), subject=subject))
    house.evaluate()
    text = clinician.get("/trials/msc-cgvhd/subjects/S-001")
    listed = text[text.index('<h2 id="clocks">') :]
    listed = listed[: listed.index("</table>")]
    assert listed.index("<td>AE-2</td>") < listed.index("<td>AE-1</td>")  # the soonest first
    assert listed.index("<strong>overdue</strong>") < listed.index("<td>running</td>")
    assert re.search(r"<td><time[^>]*>[^<]*</time> <span[^>]*>\(in 2[12] h\)", listed)
    assert "AE-3" not in listed
    assert "S-001</a>" not in listed
    given = {"ae": "AE-1", "reported_at": iso(now_us())}
    house.publish(make_event(4, "adverse_event", given, subject="S-001"))
    house.publish(make_event(5, "adverse_event", {**given, "ae": "AE-2"}, subject="S-001"))
    house.evaluate()
    assert '<h2 id="clocks">' not in clinician.get("/trials/msc-cgvhd/subjects/S-001")
