"""Signing in and out in a real browser, with and without scripts, and what cannot be smuggled in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import PATIENCE_MS
from tests.support.processes import wait_until

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")
HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\"' onfocus=alert(1) {{7*7}}"


def test_a_wrong_password_is_said_and_nobody_is_in(profile, up):
    page = profile().new_page()
    page.goto("/trials")
    page.get_by_label("Name").fill(up.run["sign_in"]["clinician"]["name"])
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("This name and password do not go together.")
    assert page.context.cookies() == []
    page.get_by_label("Name").fill(up.run["sign_in"]["clinician"]["name"])
    page.get_by_label("Password").fill(up.run["sign_in"]["clinician"]["password"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/trials$"))


def test_a_key_opens_the_page_too(profile, up):
    page = profile().new_page()
    page.goto("/")
    page.get_by_text("Sign in with an API key").click()
    page.get_by_label("API key").fill(up.run["keys"]["clinician"])
    page.get_by_role("button", name="Sign in with the key").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def test_signing_out_in_one_tab_empties_the_others(enter, story):
    page = enter()
    story.serious_event()
    expect(page.locator("[data-alert]").first).to_be_visible()
    tab = page.context.new_page()
    tab.goto("/trials")
    tab.get_by_role("button", name="Sign out").click()
    expect(tab.get_by_label("Password")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in again")).to_be_visible()
    assert story.subject not in page.content()
    tab.go_back()
    expect(tab.get_by_label("Password")).to_be_visible()


def test_the_cookie_is_out_of_reach_of_scripts(enter):
    page = enter()
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "vigil_session",
        True,
        "Strict",
    )
    assert page.evaluate("document.cookie") == ""


def test_without_scripts_one_signs_in_reads_and_acknowledges(enter, story):
    story.enrolled_unfit()
    page = enter(java_script_enabled=False)
    card = page.locator("[data-alert]").filter(has_text=story.subject)
    wait_until(lambda: page.reload() is not None and card.count() > 0, 60, "the alert", every=0.2)
    expect(page.locator("#line")).to_contain_text("load the page again")
    card.get_by_label("Note (optional)").fill("by hand")
    card.get_by_role("button", name="Acknowledge").click()
    page.goto("/?status=acknowledged")
    expect(page.locator("[data-alert]").filter(has_text=story.subject)).to_contain_text("by hand")


def test_hostile_words_stay_words_and_the_policy_holds(enter, story):
    page = enter()
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("console", lambda message: said.append(message.text))
    story.serious_event("AE-9", HOSTILE)
    card = page.locator("[data-alert]").filter(has_text=story.subject)
    card.get_by_label("Note (optional)").fill(HOSTILE)
    card.get_by_role("button", name="Acknowledge").click()
    expect(card.locator("q")).to_have_text(HOSTILE)
    card.get_by_role("heading").get_by_role("link").click()
    expect(page.locator("q").first).to_have_text(HOSTILE)
    page.get_by_role("link", name=story.subject).click()
    expect(page.locator("#timeline + div")).to_contain_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert said == []
    assert page.locator("img[src=x]").count() == 0


def test_nothing_is_asked_of_any_other_place(enter, up):
    page = enter()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/trials", "/trials/msc-cgvhd", "/trials/msc-cgvhd/protocol"):
        page.goto(path)
    assert asked
    assert all(url.startswith((up.run["url"], "data:")) for url in asked)
