"""Long runs, behind `make soak`: what only shows after a hundred thousand events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services import clock, stories
from tests.support.processes import ROOT, wait_until
from tests.support.service import Up

FLAGSHIP = ROOT / "rules" / "protocols" / "msc-cgvhd.yaml"
ROUNDS, SUBJECTS, EVENTS_EACH = 10, 100, 100
BATCH = 2_000
# What a process may grow by while it sees the last 70,000 of 100,000 events, in MB.
MAY_GROW_MB = 60


def resident_mb(pid: int) -> float:
    """Resident memory of one process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_no_process_grows_with_the_number_of_events(tmp_path: Path) -> None:
    start = datetime.fromtimestamp(clock.now_us() / 1e6, UTC) - timedelta(days=90)
    seen: list[dict[int, float]] = []
    with Up(tmp_path / "data") as up:
        service = up.service("admin")
        body = {"id": "soak", "mode": "live", "protocol": FLAGSHIP.read_text(encoding="utf-8")}
        assert service.post("/v1/trials", body).status == 201
        for number in range(ROUNDS):
            events = [
                event
                for subject in range(SUBJECTS)
                for event in stories.subject_events(
                    "soak", f"S-{number}-{subject}", EVENTS_EACH, 11, start
                )
            ]
            for at in range(0, len(events), BATCH):
                answer = service.post("/v1/events", events[at : at + BATCH])
                assert answer.status == 202, answer.body
            wait_until(
                lambda: not service.get("/v1/ops/streams?state=dirty").body["items"],
                300,
                "a round to be evaluated",
                every=0.2,
            )
            family = up.family()
            seen.append({pid: resident_mb(pid) for pid in family})
            print(number, {family[p][-40:]: round(mb) for p, mb in seen[-1].items()})  # noqa: T201
    early, late = seen[2], seen[-1]
    grown = {pid: round(late[pid] - early[pid]) for pid in early.keys() & late.keys()}
    assert grown
    assert max(grown.values()) < MAY_GROW_MB, grown
