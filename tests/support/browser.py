"""A real Chromium for the tests of the page: one a process, a fresh context for each test.

tests/browser/conftest.py takes it, and nobody else: a process can run one only. A module that uses it
says `pytestmark = pytest.mark.xdist_group("browser")`, so that all of them share the one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

# As Debian, Fedora and others name it; the first that is there.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Containers lack the kernel's sandbox and often a large /dev/shm.
OPTIONS = ("--no-sandbox", "--disable-dev-shm-usage")
# A busy machine is no fault of the page's.
PATIENCE_MS = 90_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this process's tests."""
    program = installed()
    if program is None:
        pytest.skip("no Chromium here: install `chromium`, or name one in VIGIL_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS)
        yield chromium
        chromium.close()


def installed() -> str | None:
    """The path of a Chromium, if there is one."""
    named = os.environ.get("VIGIL_TEST_CHROMIUM")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page whose scripts must not fail; no cookies, no cache from others."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert failures == []


def sign_in(page: Page, url: str, account: dict[str, str]) -> None:
    """By the form of the first page."""
    page.goto(url)
    page.get_by_label("Name").fill(account["name"])
    page.get_by_label("Password").fill(account["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
