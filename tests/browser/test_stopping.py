"""The trial's stopping rules in a real browser: drawn, told, held and printed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import PATIENCE_MS
from tests.support.processes import ROOT
from tests.support.service import Up

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")

TRIAL = "figures"
# Without its scenarios, which tests/protocols runs.
PROTOCOL = (
    (ROOT / "rules" / "protocols" / "msc-cgvhd.yaml").read_text().partition("\nscenarios:")[0]
)
WIDTH = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Of the one picture of the boundary: drawn at all, and how wide it was laid out to be.
DRAWN = "[...document.images].filter(it => it.alt.includes('stop the trial'))[0]"
AT = "2026-03-02T08:15:00+09:00"
INFUSION = {"product": "MSC", "number": 1, "status": "completed", "start": AT, "end": AT}
SERIOUS = {
    "ae": "AE-1",
    "term": "Pyrexia",
    "grade": 3,
    "causality": "related",
    "serious": True,
    "onset": "2026-03-03",
}


@pytest.fixture
def trial(up: Up) -> str:
    """A trial of its own: a crossing holds it, which other tests must not feel."""
    made = {"id": TRIAL, "mode": "live", "protocol": PROTOCOL}
    answer = up.service("admin").post("/v1/trials", made)
    assert answer.status in {200, 201}, answer.body
    return f"/trials/{TRIAL}"


def one_more_event(up: Up, subject: str) -> None:
    """For the boundary, by one more subject."""
    for kind, data in (("administration", INFUSION), ("adverse_event", SERIOUS)):
        event = {
            "specversion": "1.0",
            "id": f"{subject}-{kind}",
            "source": "https://lis.example/",
            "type": kind,
            "trial": TRIAL,
            "subject": subject,
            "time": AT,
            "data": data,
        }
        answer = up.service("publisher").post("/v1/events", event)
        assert answer.status == 202, answer.body


def until(page: Page, what: str) -> None:
    """Asked from outside: the page's policy lets nobody evaluate within."""
    while not page.evaluate(what):
        page.wait_for_timeout(100)


def drawn(page: Page) -> int:
    """The width of the figure as it was drawn, in pixels; waits until it is."""
    until(page, f"{DRAWN}?.complete && {DRAWN}.naturalWidth > 0")
    return int(page.evaluate(f"{DRAWN}.naturalWidth"))


def test_the_trials_page_shows_the_crossing_at_every_width_and_prints_its_figure(enter, up, trial):
    page = enter()
    page.goto(trial)
    rule = page.get_by_role("region", name=re.compile("Severe adverse events suspected"))
    expect(rule.get_by_text(re.compile("^Stop if "))).to_be_visible()
    assert drawn(page) > 600
    for subject in ("F-001", "F-002"):
        one_more_event(up, subject)
    held = page.locator(".notice.critical")
    while not held.is_visible():
        page.wait_for_timeout(300)
        page.goto(trial)
    expect(rule.get_by_role("img", name=re.compile("The boundary is reached"))).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    until(page, f"{DRAWN}.currentSrc.includes('shape=narrow')")
    assert drawn(page) < 400
    assert page.evaluate(WIDTH) == 0
    page.set_viewport_size({"width": 1280, "height": 800})
    page.get_by_text("How this boundary behaves").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Characteristics of ST-TOX")).to_be_visible()
    page.get_by_role("link", name="Report to print").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Stopping rules of figures")).to_be_visible()
    assert drawn(page) > 600
    printed = page.pdf(format="A4")
    assert b"/Pattern" in printed  # the hatching of the figure, as lines and not as a picture
    page.emulate_media(media="print")
    expect(page.get_by_role("img", name=re.compile("The boundary is reached"))).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
