"""The sample of docs/stream.md for a page, run in one."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.e2e.test_stream import death
from tests.support.browser import sign_in
from tests.support.processes import ROOT
from tests.support.service import Up

pytestmark = pytest.mark.xdist_group("browser")
MANUAL = (ROOT / "docs" / "stream.md").read_text(encoding="utf-8")


def test_a_page_hears_of_it_with_the_sessions_cookie(up: Up, page: Page) -> None:
    sample = re.search(r"^```javascript\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    assert sample is not None
    sign_in(page, up.run["url"], up.run["sign_in"]["clinician"])
    page.wait_for_selector("#inbox")
    page.evaluate(f"() => new Promise((open) => {{ {sample[1]} stream.onopen = open; }})")
    with page.expect_console_message(lambda message: message.text.endswith("S-DEATH B-1")):
        death(up.service("publisher"), "B-1")
