"""The inbox in a real browser, on the whole service: live, shared, and honest about its line."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")


def cards(page: Page, story):
    """The alerts of the story's subject."""
    return page.locator("[data-alert]").filter(has_text=story.subject)


def line(page: Page):
    return page.locator("#line")


def test_an_alert_appears_without_loading_the_page_again(enter, story):
    page = enter()
    page.evaluate("window.stayed = true")
    expect(line(page)).to_have_text("Live")
    expect(cards(page, story)).to_have_count(0)
    story.serious_event()
    expect(cards(page, story)).to_have_count(1)
    card = cards(page, story)
    expect(card.locator(".severity")).to_have_text("Serious")
    expect(card.get_by_text("What to do")).to_be_visible()
    total = page.locator("#list").get_attribute("data-total")
    expect(page).to_have_title(f"({total}) Vigil")
    assert page.evaluate("window.stayed")


def test_a_new_critical_alert_is_said_aloud_and_stands_first(enter, story):
    page = enter()
    expect(line(page)).to_have_text("Live")
    story.enrolled_unfit()
    expect(page.locator("#shout")).to_contain_text("New critical alert: ")
    expect(page.locator("#shout")).to_contain_text(story.subject)
    severities = page.locator("[data-alert]").evaluate_all("it => it.map(e => e.dataset.severity)")
    order = ["critical", "serious", "warning", "info"]
    assert severities == sorted(severities, key=order.index)


def test_two_people_see_each_others_acknowledgement(enter, story):
    one, other = enter("clinician"), enter("admin")
    story.serious_event()
    for page in (one, other):
        expect(cards(page, story)).to_have_count(1)
    card = cards(one, story)
    card.get_by_label("Note (optional)").fill("on my way")
    card.get_by_role("button", name="Acknowledge").click()
    for page in (one, other):
        expect(cards(page, story).get_by_text("Acknowledged")).to_be_visible()
        expect(cards(page, story)).to_contain_text("by clinician")
        expect(cards(page, story)).to_contain_text("on my way")
        expect(cards(page, story).get_by_role("button", name="Acknowledge")).to_have_count(0)
    one.reload()
    expect(cards(one, story)).to_have_count(0)
    one.goto("/?status=acknowledged")
    expect(cards(one, story)).to_have_count(1)


def test_resolving_and_commenting_in_place(enter, story):
    page = enter()
    story.serious_event()
    card = cards(page, story)
    card.get_by_text("Resolve or comment").click()
    card.get_by_label("Comment").fill("the sponsor knows")
    card.get_by_role("button", name="Comment").click()
    expect(page.locator("#say")).to_have_text("Comment: done")
    card.get_by_role("button", name="Resolve").click()
    expect(card.get_by_text("Resolved", exact=True)).to_be_visible()
    card.get_by_role("heading").get_by_role("link").click()
    expect(page.get_by_role("cell", name="the sponsor knows")).to_be_visible()


def test_what_somebody_types_survives_what_arrives(enter, story, another_story):
    page = enter()
    story.serious_event()
    note = cards(page, story).get_by_label("Note (optional)")
    note.fill("half a sen")
    cards(page, story).get_by_text("Evidence and source").click()
    note.focus()
    another_story.serious_event()
    expect(cards(page, another_story)).to_have_count(1)
    story.serious_event()  # the same card changes under the hand
    expect(note).to_have_value("half a sen")
    expect(note).to_be_focused()
    expect(cards(page, story).get_by_role("table")).to_be_visible()


def test_a_stream_that_is_killed_comes_back_and_nothing_is_missed(enter, up, story, another_story):
    page = enter()
    expect(line(page)).to_have_text("Live")
    stream = [pid for pid, name in up.family().items() if "services.live" in name]
    assert stream
    for pid in stream:
        os.kill(pid, signal.SIGKILL)
    story.serious_event()
    expect(line(page)).to_have_text(re.compile("^Not live since|^No connection since|^Live"))
    expect(cards(page, story)).to_have_count(1)
    expect(line(page)).to_have_text("Live")
    another_story.serious_event()
    expect(cards(page, another_story)).to_have_count(1)


def test_a_page_that_was_away_says_so_and_then_has_everything(enter, story, another_story):
    page = enter()
    story.serious_event()
    expect(cards(page, story)).to_have_count(1)
    page.context.set_offline(True)
    expect(line(page)).to_have_text(
        re.compile(r"^No connection since \d\d:\d\d:\d\d: this list may be out of date$")
    )
    another_story.serious_event()
    expect(cards(page, another_story)).to_have_count(0)
    page.context.set_offline(False)
    expect(cards(page, another_story)).to_have_count(1)
    expect(line(page)).to_have_text("Live")


def test_an_action_that_cannot_be_saved_says_so_and_keeps_the_words(enter, story):
    page = enter()
    story.serious_event()
    card = cards(page, story)
    card.get_by_label("Note (optional)").fill("not lost")
    page.context.set_offline(True)
    card.get_by_role("button", name="Acknowledge").click()
    expect(card.get_by_role("alert")).to_have_text("This was not saved; try again in a moment.")
    expect(card.get_by_label("Note (optional)")).to_have_value("not lost")
    page.context.set_offline(False)
    card.get_by_role("button", name="Acknowledge").click()
    expect(card.get_by_text("not lost")).to_be_visible()


def test_filters_work_and_stand_in_the_address(enter, story):
    page = enter()
    story.enrolled_unfit()
    story.serious_event()
    expect(cards(page, story)).to_have_count(2)
    page.get_by_label("Severity").select_option("critical")
    expect(page).to_have_url(re.compile(r"severity=critical"))
    expect(cards(page, story)).to_have_count(1)
    expect(line(page)).to_have_text("Live")


def test_an_operator_watches_without_clinical_values(enter, story):
    page = enter("ops")
    story.serious_event()
    expect(cards(page, story)).to_have_count(1)
    expect(cards(page, story).locator(".detail")).to_have_count(0)
    expect(cards(page, story).get_by_role("button")).to_have_count(0)
    expect(line(page)).to_have_text("Live")
