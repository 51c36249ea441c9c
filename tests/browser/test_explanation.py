"""The subject's page in a real browser says why, what would change it and what is still wanted."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.browser import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")


def test_a_clinician_reads_why_a_subject_is_not_eligible_and_opens_a_clause_by_keyboard(
    enter, story
):
    page = enter()
    story.publish("observation", {"code": "hiv_status", "absent": "refused"})
    story.publish("observation", {"code": "body_temperature", "value": 36.9, "unit": "Cel"})
    story.publish("enrolment", {"status": "screened"})
    expect(page.locator("[data-alert]").filter(has_text=story.subject)).to_have_count(1)
    page.goto(f"/trials/msc-cgvhd/subjects/{story.subject}")
    wanted = page.get_by_role("region", name="Still to be found out")
    expect(wanted.get_by_role("row").filter(has_text="HIV serology")).to_contain_text("refused")
    expect(wanted.get_by_text("Body temperature")).to_have_count(0)
    expect(page.get_by_text("No change of up to three facts")).to_be_visible()
    summary = page.get_by_text("Clause by clause: E2")
    clause = page.get_by_role("row").filter(has=summary).locator("li li").nth(1)
    expect(clause).to_be_hidden()
    summary.focus()
    page.keyboard.press("Enter")
    expect(clause).to_be_visible()
    expect(clause).to_contain_text("body_temperature >= 38 does not hold")
    expect(clause).to_contain_text("Body temperature: 36.9 °C")
    page.goto("/trials/msc-cgvhd")
    listed = page.get_by_role("region", name="Still to be found out")
    row = listed.get_by_role("row").filter(has_text=story.subject).first
    expect(listed.get_by_role("row").first).to_be_visible()
    while row.count() == 0:  # the trial is every browser test's: this subject may be further on
        page.locator("a[href$='#worklist']").filter(has_text="More").click()
        expect(listed.get_by_role("row").first).to_be_visible()
    expect(row).to_be_visible()
