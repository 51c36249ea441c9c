"""Signing in over HTTP: the cookie, who may use it, and what it cannot be made to do."""

from __future__ import annotations

import re
import time

import pytest

from services import keys
from services.accounts import people
from services.clock import now_us
from services.http import auth

PASSWORD = "correct horse battery"
ACKNOWLEDGE = "/v1/alerts/al_x/acknowledge"


def first(pattern, text):
    """What the pattern's group found."""
    found = re.search(pattern, text)
    assert found
    return found[1]


@pytest.fixture
def database_url(sqlite_url):
    """What a session is on either store stands in test_accounts."""
    return sqlite_url


@pytest.fixture
def account(house):
    people.create(
        house.services.database,
        "clinic",
        role="clinician",
        password=PASSWORD,
        person="the investigator",
        by="test",
        now_us=now_us(),
    )


@pytest.fixture
def browser(house, account):
    """A client that keeps cookies, as a browser does."""
    return house.app.test_client()


def sign_in(client, password=PASSWORD, **others):
    return client.post("/sign-in", data={"name": "clinic", "password": password}, **others)


def csrf(client):
    return first(r'data-csrf="([^"]+)"', client.get("/").text)


def test_a_name_and_password_open_the_inbox(browser):
    assert "Password" in browser.get("/").text
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "the investigator" in browser.get("/").text
    assert browser.get("/v1/alerts").status_code == 200


def test_the_cookie_is_for_browsers_of_ours_alone(browser):
    set_cookie = sign_in(browser).headers["Set-Cookie"]
    assert set_cookie.startswith("vigil_session=")
    assert "HttpOnly" in set_cookie
    assert "SameSite=Strict" in set_cookie
    assert "Path=/" in set_cookie
    assert "Secure" not in set_cookie
    assert "Domain" not in set_cookie


def test_over_https_the_cookie_never_leaves_in_clear(browser):
    assert "Secure" in sign_in(browser, base_url="https://localhost").headers["Set-Cookie"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"name": "clinic"},
        {"name": "clinic", "password": "wrong"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "clinic\x00", "password": PASSWORD},
        {"name": "clinic", "password": "x" * 100_000},
        {"key": "vigil_unknown"},
    ],
)
def test_what_does_not_fit_is_401_and_says_the_same_for_any_name(browser, form):
    answer = browser.post("/sign-in", data=form)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    said = first(r'id="complaint">([^<]+)<', answer.text)
    assert said == (
        "This key is unknown or revoked."
        if "key" in form
        else "This name and password do not go together."
    )


def test_a_key_signs_in_but_a_publishers_has_no_page(house, browser):
    answer = browser.post("/sign-in", data={"key": house.keys["ops"]})
    assert answer.status_code == 303
    assert browser.get("/v1/ops/dead-letters").status_code == 200
    refused = browser.post("/sign-in", data={"key": house.keys["publisher"]})
    assert refused.status_code == 403
    assert "no page" in refused.text


def test_guessing_is_answered_429_with_the_seconds_to_wait(browser):
    answers = [sign_in(browser, "a wrong password") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_a_cookie_that_was_planted_becomes_nobodys_session(browser):
    browser.set_cookie("vigil_session", "planted")
    sign_in(browser)
    assert browser.get_cookie("vigil_session").value != "planted"
    thief = browser.application.test_client()
    thief.set_cookie("vigil_session", "planted")
    assert thief.get("/v1/alerts").status_code == 401


def test_signing_in_again_ends_the_session_before(browser):
    sign_in(browser)
    first = browser.get_cookie("vigil_session").value
    sign_in(browser)
    other = browser.application.test_client()
    other.set_cookie("vigil_session", first)
    assert other.get("/v1/alerts").status_code == 401
    assert browser.get("/v1/alerts").status_code == 200


def test_signing_out_ends_the_session_and_not_only_the_cookie(browser):
    sign_in(browser)
    cookie = browser.get_cookie("vigil_session").value
    assert browser.post("/sign-out", data={"csrf": csrf(browser)}).status_code == 303
    assert browser.get_cookie("vigil_session") is None
    browser.set_cookie("vigil_session", cookie)
    assert browser.get("/v1/alerts").status_code == 401


def test_a_disabled_account_is_out_within_a_second(house, browser):
    sign_in(browser)
    assert browser.get("/v1/alerts").status_code == 200
    people.disable(house.services.database, "clinic", by="test", now_us=now_us())
    time.sleep(auth.REMEMBER_S)
    assert browser.get("/v1/alerts").status_code == 401


def test_a_revoked_keys_session_is_out_within_a_second(house, browser):
    made, secret = keys.create(house.services.database, role="ops", by="test", now_us=now_us())
    browser.post("/sign-in", data={"key": secret})
    assert browser.get("/v1/alerts").status_code == 200
    keys.revoke(house.services.database, made.id, by="test", now_us=now_us())
    time.sleep(auth.REMEMBER_S)
    assert browser.get("/v1/alerts").status_code == 401


# --- what other sites could make a browser do -----------------------------------------------------
def test_the_cookie_alone_changes_nothing(browser):
    sign_in(browser)
    for path in (ACKNOWLEDGE, "/sign-out", "/alerts/al_x/acknowledge"):
        assert browser.post(path, json={}).status_code == 403
    assert browser.post(ACKNOWLEDGE, json={}, headers={"X-Vigil-CSRF": "wrong"}).status_code == 403
    assert browser.post("/sign-out", data={"csrf": ""}).status_code == 403
    assert browser.get("/v1/alerts").status_code == 200


def test_with_the_sessions_own_proof_it_does(browser):
    sign_in(browser)
    proof = {"X-Vigil-CSRF": csrf(browser)}
    assert browser.post(ACKNOWLEDGE, json={}, headers=proof).status_code == 404
    assert browser.post("/alerts/al_x/acknowledge", data={"csrf": csrf(browser)}).status_code == 404


def test_the_proof_of_another_session_is_none(house, browser):
    sign_in(browser)
    other = house.app.test_client()
    sign_in(other)
    answer = browser.post(ACKNOWLEDGE, json={}, headers={"X-Vigil-CSRF": csrf(other)})
    assert answer.status_code == 403


def test_a_key_in_the_header_wins_over_the_cookie(house, browser):
    sign_in(browser)
    ops = {"Authorization": f"Bearer {house.keys['ops']}"}
    assert browser.post(ACKNOWLEDGE, json={}, headers=ops).status_code == 403
    assert browser.get("/v1/ops/dead-letters", headers=ops).status_code == 200
    assert browser.get("/v1/alerts", headers={"Authorization": "Bearer no"}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_another_site_cannot_sign_somebody_in(browser, headers):
    answer = sign_in(browser, headers=headers)
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\r\nX: y", "\\\\evil"],
)
def test_after_signing_in_one_stays_here(browser, path):
    form = {"name": "clinic", "password": PASSWORD, "next": path}
    assert browser.post("/sign-in", data=form).headers["Location"] == "/"


def test_a_page_that_needed_the_sign_in_is_shown_afterwards(browser):
    asked = browser.get("/trials/msc-cgvhd?q=S-1&cursor=")
    assert asked.status_code == 303
    door = browser.get(asked.headers["Location"]).text
    back = first(r'name="next" value="([^"]+)"', door).replace("&amp;", "&")
    assert back == "/trials/msc-cgvhd?q=S-1&cursor="
    form = {"name": "clinic", "password": PASSWORD, "next": back}
    assert browser.post("/sign-in", data=form).headers["Location"] == back


@pytest.mark.parametrize(
    "path", ["/", "/trials", "/operations", "/alerts/al_x", "/static/vigil.js"]
)
def test_every_page_is_protected_by_the_same_policy(browser, path):
    for _ in range(2):
        with browser.get(path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "script-src" not in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if not path.startswith("/static"):
                assert answer.headers["Cache-Control"] == "no-store"
        sign_in(browser)


def test_no_page_loads_anything_from_elsewhere_or_has_a_script_or_style_in_it(browser):
    sign_in(browser)
    for path in ("/", "/trials", "/trials/msc-cgvhd", "/trials/msc-cgvhd/protocol", "/no/alert"):
        text = browser.get(path).text
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', text)
        assert not re.findall(r"<script(?![^>]* src=)", text)
        assert not re.findall(r"<style|\sstyle=|\son\w+=", text)
