"""`make run` in front of a newcomer's eyes: sign in with what is printed, and see the alerts come."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.browser import sign_in
from tests.support.processes import wait_until
from tests.support.service import Up

pytestmark = pytest.mark.xdist_group("browser")
# So soon after the services are up a newcomer is to see the first alert (issue 3, a).
SOON_MS = 60_000


@pytest.mark.timeout(480)
def test_a_newcomer_signs_in_and_sees_the_demos_alerts_arrive_live(
    tmp_path: Path, page: Page
) -> None:
    with Up(tmp_path / "data", "--demo") as up:  # exactly what `make run` starts
        sign_in(page, printed_url(up), printed_account(up))
        page.wait_for_selector("[data-alert]", timeout=SOON_MS)
        page.wait_for_selector("[data-state=live]")
        loaded = page.evaluate("performance.timeOrigin")
        first = shown(page)
        assert {"demo-msc-cgvhd DEMO"} == set(first.values())
        wait_until(lambda: shown(page).keys() > first.keys(), 90, "another alert")
        assert page.evaluate("performance.timeOrigin") == loaded  # nobody loaded the page again
        _, left = up.stop(signal.SIGINT)
        assert (left, up.process.returncode) == ({}, 0)
        assert not (up.data / "run.json").exists()


def shown(page: Page) -> dict[str, str]:
    """The alerts on the page, with their trials."""
    script = """cards => cards.map(it => [it.dataset.alert, it.querySelector("dd:not(.subject) a[href^='/trials/']")
        .closest("dd").innerText])"""
    return dict(page.locator("[data-alert]").evaluate_all(script))


def printed_url(up: Up) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+", up.log.read_text())
    assert found is not None
    return found[0]


def printed_account(up: Up) -> dict[str, str]:
    found = re.search(r"clinician +password (\S+)", up.log.read_text())
    assert found is not None
    return {"name": "clinician", "password": found[1]}
