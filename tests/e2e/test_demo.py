"""`make run` as a newcomer meets it: two evenings, each told in its own trial, nothing left behind.

They are told fast: DEMO_PACE_S is a matter of services/demo/__main__.py.
"""

from __future__ import annotations

import re
import signal
import stat
from pathlib import Path

import pytest

from services.client import Service
from services.receiver import COLUMNS
from tests.support.processes import wait_until
from tests.support.service import Up

TRIAL = "demo-msc-cgvhd"
# One of each kind that the first evening is there to show, as the receiver prints them.
FIRST = (
    *("opened info EL-NEEDS-DATA", "opened warning EL-INELIGIBLE", "opened info EL-ELIGIBLE"),
    *("superseded warning EL-INELIGIBLE", "opened serious S-FEVER", "resolved serious S-FEVER"),
    *("opened info R-RESPONSE", "opened serious L-GRADE", "resolved serious L-GRADE"),
    *("opened critical S-INFUSED-FEVER", "acknowledged critical S-INFUSED-FEVER"),
    *("opened serious S-SAE", "resolved serious S-SAE", "opened critical ST-TOX-CROSSED"),
    *("acknowledged critical ST-TOX-CROSSED", "opened critical EL-ENROLLED-NOT-ELIGIBLE"),
)
SECOND = ("resolved critical ST-TOX-CROSSED", "opened info ACC-TARGET", "opened info EL-ELIGIBLE")
_LINE = re.compile(r"^ *\d+ (\w+) +(\w+) +(D\d+-\d+|trial) +([A-Z0-9-]+) ", re.MULTILINE)


@pytest.mark.timeout(480)
def test_the_demo_tells_a_story_an_evening_and_leaves_nothing_but_its_data(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    up = Up(tmp_path / "data", "--demo", DEMO_PACE_S="0.3", TMPDIR=str(tmp_path / "tmp"))
    with up:
        assert_shown(up, 1, FIRST)
        trial = up.service("admin").get(f"/v1/trials/{TRIAL}").body
        assert (trial["status"], trial["banner"]) == ("suspended", "DEMO")
        assert trial["enrolment"] == {"enrolled": 7, "target": 10}
        assert up.service("admin").get("/v1/alerts?trial=msc-cgvhd").body["items"] == []
        assert_everyday_life_goes_on(up.service("clinician"))
        assert_ends(up)

        up.start()
        assert_shown(up, 2, SECOND)
        trial = up.service("admin").get(f"/v1/trials/{TRIAL}").body
        assert (trial["status"], trial["enrolment"]["enrolled"]) == ("suspended", 10)  # its target
        assert_resumed_by_two(up.service("admin"))
        assert_ends(up)
    assert list((tmp_path / "tmp").iterdir()) == []


def assert_shown(up: Up, evening: int, wanted: tuple[str, ...]) -> None:
    """Every promised change of an alert reaches the receiver, under this evening's pseudonyms."""

    def missing() -> set[str]:
        found = [each for each in _LINE.findall(up.log.read_text()) if each[2] != "trial"]
        assert {each[2].partition("-")[0] for each in found} <= {"D1", f"D{evening}"}
        lines = _LINE.findall(up.log.read_text().rpartition("DEMO: a synthetic story")[2])
        return set(wanted) - {f"{kind} {severity} {rule}" for kind, severity, _, rule in lines}

    def told() -> bool:
        return up.log.read_text().count("DEMO: the story is told") == evening and not missing()

    try:
        wait_until(told, 180, "the story")
    except TimeoutError:
        pytest.fail(f"{missing()} did not come:\n{up.log.read_text()}")
    demo = up.log.read_text().rpartition("DEMO: a synthetic story")[2]
    assert [line for line in demo.splitlines() if len(line) > COLUMNS] == []
    assert "Traceback" not in demo


def assert_everyday_life_goes_on(clinician: Service) -> None:
    def events() -> int:
        subject = clinician.get(f"/v1/trials/{TRIAL}/subjects/D1-02/timeline").body
        return len(subject["items"])

    before = events()
    wait_until(lambda: events() > before, 90, "another measurement")


def assert_resumed_by_two(admin: Service) -> None:
    """What held the trial the evening before is lifted; its full number holds it now."""
    held = admin.get(f"/v1/trials/{TRIAL}").body
    assert (held["hold"]["by"], held["hold"]["standing"]) == ("ACC-TARGET", 1)
    assert held["awaiting_second"] is None


def assert_ends(up: Up) -> None:
    """Ctrl-C: status 0, no process, no socket, no address; the rest are the owner's own files."""
    _, left = up.stop(signal.SIGINT)
    assert left == {}
    assert up.process.returncode == 0
    assert not (up.data / "run.json").exists()
    kept = [path for path in up.data.rglob("*") if not path.is_dir()]
    assert [path for path in kept if not stat.S_ISREG(path.stat().st_mode)] == []
