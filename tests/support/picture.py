"""Takes the README's picture: the inbox in the demo, when the stopping table has been reached.

    .venv/bin/python -m tests.support.picture

A person runs it when the page has changed; what is shown is synthetic.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.browser import OPTIONS, PATIENCE_MS, installed, sign_in
from tests.support.processes import ROOT
from tests.support.service import Up

PICTURE = ROOT / "docs" / "inbox.png"
SIZE = {"width": 1180, "height": 860}
# While both wait for somebody to take notice.
CRITICAL = ("the trial is held", "enrolled without being eligible")


def main() -> None:
    """Play the demo fast, sign in as its clinician, take the picture at the height of the story."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Up(Path(folder) / "data", "--demo", DEMO_PACE_S="2.5") as up,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=installed(), args=OPTIONS)
        page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE_MS)
        sign_in(page, up.run["url"], up.run["sign_in"]["clinician"])
        for title in CRITICAL:
            page.wait_for_selector(f"[data-alert] h2:has-text('{title}')")
        page.reload()  # in the list's own order, nothing in motion
        page.wait_for_selector("[data-state=live]")
        page.screenshot(path=PICTURE)
        browser.close()
        up.stop()


if __name__ == "__main__":
    main()
