"""The form that puts a version in force: only its button does, whatever is chosen before."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from services.client import Service
from tests.support.browser import PATIENCE_MS
from tests.support.processes import ROOT

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("browser")

TRIAL = "amended"
TEXT = (ROOT / "rules/protocols/msc-cgvhd.yaml").read_text().partition("\nscenarios:")[0] + "\n"
AMENDS = 'amends: {version: "1.0", kind: minor, summary: Younger subjects only}'
NEXT = TEXT.replace('version: "1.0"', f'version: "2.0"\n  {AMENDS}', 1).replace(
    "maximum_age_years: {value: 80", "maximum_age_years: {value: 30", 1
)


@pytest.fixture
def amended(up, story):
    """A trial with a subject in it and a draft."""
    admin: Service = up.service("admin")
    made = admin.post("/v1/trials", {"id": TRIAL, "mode": "live", "protocol": TEXT})
    assert made.status in {200, 201}, made.body
    event = {
        "specversion": "1.0", "id": "amended-1", "source": "https://lis.example/",
        "type": "demographics", "trial": TRIAL, "subject": "S-001",
        "time": "2026-03-02T08:15:00+09:00", "data": {"birth_date": "1980", "sex": "male"},
    }  # fmt: skip
    assert up.service("publisher").post("/v1/events", event).status == 202
    return admin


def test_a_version_is_compared_backtested_and_put_in_force_by_its_button_alone(up, enter, amended):
    page = enter("admin")
    answer = page.request.post(
        f"/v1/trials/{TRIAL}/protocols",
        data=NEXT,
        headers={
            "Content-Type": "application/yaml",
            "Authorization": f"Bearer {up.run['keys']['admin']}",
        },
    )
    assert answer.status == 201
    page.goto(f"/trials/{TRIAL}/protocol/2.0")
    expect(page.get_by_text("Look again:").first).to_be_visible()
    page.get_by_role("button", name="Backtest version 2.0").click()
    again, done = (
        page.get_by_role("link", name="look again"),
        page.get_by_text("would read otherwise"),
    )
    expect(again.or_(done)).to_be_visible()
    while not done.is_visible():
        again.click()
        expect(again.or_(done)).to_be_visible()
    page.get_by_role("link", name="Protocol 2.0").click()
    page.get_by_label("Backtest", exact=True).select_option(index=1)
    page.get_by_label("Approved by").fill("the sponsor")
    page.wait_for_timeout(500)  # nothing may happen yet
    expect(page.locator("dl.about .tag")).to_have_text("draft")
    page.get_by_role("button", name="Put version 2.0 in force").click()
    expect(page.locator("dl.about .tag")).to_have_text("active")
    page.goto(f"/trials/{TRIAL}/reconsent")
    expect(page.get_by_text("Nobody.")).to_be_visible()
