"""One browser and one `vigil up` for all tests here; each test has a profile of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from services import clock
from tests.support import browser as chromium
from tests.support.service import Up

browser, page = chromium.browser, chromium.page
NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def up(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("browser") / "data") as service:
        yield service


@pytest.fixture
def profile(browser: Browser, up: Up) -> Iterator[Callable[..., BrowserContext]]:
    """Makes profiles: each is a person at a machine of its own."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(base_url=up.run["url"], **options)
        context.set_default_timeout(chromium.PATIENCE_MS)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


@pytest.fixture
def enter(profile: Callable[..., BrowserContext], up: Up) -> Callable[..., Page]:
    """Signs somebody in; the inbox."""

    def entered(role: str = "clinician", **options: Any) -> Page:
        page = profile(**options).new_page()
        chromium.sign_in(page, "/", up.run["sign_in"][role])
        page.wait_for_selector("#inbox")
        return page

    return entered


class Story:
    """Events of one subject, that no other test knows."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.subject = f"S-{next(NUMBERS):03d}"

    def publish(
        self, kind: str, data: dict[str, Any], time: str = "2026-03-02T08:15:00+09:00"
    ) -> None:
        event = {
            "specversion": "1.0",
            "id": f"e-{next(NUMBERS)}",
            "source": "https://lis.example/",
            "type": kind,
            "trial": "msc-cgvhd",
            "subject": self.subject,
            "time": time,
            "data": data,
        }
        answer = self.up.service("publisher").post("/v1/events", event)
        assert answer.status == 202, answer.body

    def serious_event(self, ae: str = "AE-1", term: str = "Pyrexia") -> None:
        """Opens one alert of severity serious: the sponsor was told at once, no clock runs."""
        data = {"ae": ae, "term": term, "grade": 2, "causality": "unrelated", "serious": True}
        told = {"seriousness": ["hospitalisation"], "onset": "2026-03-02"}
        told |= dict.fromkeys(("aware_at", "reported_at"), "2026-03-02T08:10:00+09:00")
        self.publish("adverse_event", data | told)

    def enrolled_unfit(self) -> None:
        """Opens a critical alert: enrolled without data. Just now, so no infusion is missed yet."""
        now = datetime.fromtimestamp(clock.now_us() / 1_000_000, UTC).isoformat()
        self.publish("enrolment", {"status": "enrolled", "site": "A"}, now)


@pytest.fixture
def story(up: Up) -> Story:
    return Story(up)


@pytest.fixture
def another_story(up: Up) -> Story:
    return Story(up)
