"""`make run` as a newcomer meets it: the story plays in its own trial, each alert is printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.processes import wait_until
from tests.support.service import Up

# One of each kind that the story is there to show, as the receiver prints them.
SHOWN = (
    "EL-NEEDS-DATA",
    "EL-INELIGIBLE",
    "EL-ELIGIBLE",
    "superseded",
    "S-FEVER",
    "S-INFUSED-FEVER",
    "S-SAE",
    "ST-TOX-CROSSED",
)


@pytest.mark.timeout(240)
def test_the_demo_tells_its_story_in_its_own_trial_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    with Up(tmp_path / "data", "--demo") as up:
        wait_until(lambda: "the story is told" in up.log.read_text(), 180, "the story's end")
        printed = up.log.read_text()
        assert [name for name in SHOWN if name not in printed] == []
        alerts = up.service("admin").get("/v1/alerts?trial=msc-cgvhd").body
        assert alerts == {"items": [], "next": None}
        demo = up.service("admin").get("/v1/trials/demo-msc-cgvhd").body
        assert demo["status"] == "suspended"
        _, left = up.stop()
        assert left == {}
