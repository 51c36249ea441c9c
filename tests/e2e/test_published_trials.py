"""Two published trials through a running service: where each stopping rule is crossed.

Held against a computation over the table alone: neither the events made of it nor the engine's
counting is used, only the boundary, which the vectors hold to its definition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

import pytest

from services.client import Service
from tests.support import published
from tests.support.processes import wait_until
from tests.support.published import Crossing, Unit
from tests.support.published_protocols import DESIGNS, protocol
from tests.support.service import Up

pytestmark = pytest.mark.skipif(
    not published.available(), reason="the published tables are not beside this checkout"
)
BATCH = 500
Json = dict[str, Any]
# Trial -> its units, what the endpoint is over and asks, the event's type, and the window.
TRIALS: dict[str, tuple[Callable[[], list[Unit]], str, str, str, int]] = {
    "cgd": (published.granulomatous, "adverse_event", "grade >= 3", "adverse_event", 90),
    "bmt": (published.transplants, "subject", "dead", "death", 100),
}
P0 = {"cgd": 0.04, "bmt": 0.05}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("published") / "data") as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trial", list(TRIALS))
def test_each_rule_is_crossed_where_the_table_alone_says(up: Up, trial: str) -> None:
    load, on, endpoint, kind, window_days = TRIALS[trial]
    units = load()
    service = up.service("admin")
    text = protocol(trial, trial, len(units), P0[trial], on, endpoint, window_days)
    answer = service.post("/v1/trials", {"id": trial, "mode": "replay", "protocol": text})
    assert answer.status == 201, answer.body
    publish(service, published.events(trial, units, kind))
    end = max(unit.start for unit in units) + timedelta(days=window_days + 1)
    last = max(unit.until for unit in units)
    service.post(f"/v1/trials/{trial}/advance", {"to": max(end, last).isoformat()})
    # Contributions of all subjects go on to the trial's stream only when all have reached a time.
    wait_until(lambda: counted(service, trial) == len(units), 150, "all to be counted", every=0.5)

    found = {rule["id"]: rule for rule in stopping(service, trial)}
    assert set(found) == set(DESIGNS)
    crossed = 0
    for name, rule in found.items():
        wanted = crossing(rule, units, window_days)
        assert rule["crossed"] is (wanted is not None), name
        if wanted is None:
            continue
        crossed += 1
        assert instant(rule["crossed_at"]) == wanted.at, name
        step = rule["path"][rule["crossed_step"] - 1]
        assert (step["evaluable"], step["events"]) == (wanted.evaluable, wanted.events), name
    assert crossed >= 4
    alerts = service.get(f"/v1/alerts?trial={trial}&category=stopping&limit=500").body["items"]
    told = {alert["rule"] for alert in alerts if alert["rule"].endswith("-CROSSED")}
    assert told == {f"{name}-CROSSED" for name, rule in found.items() if rule["crossed"]}
    shown(up, trial, found)


def shown(up: Up, trial: str, found: dict[str, Json]) -> None:
    """The page says of each rule whether it is reached, and since when."""
    headers = {"Authorization": f"Bearer {up.run['keys']['admin']}"}
    request = Request(f"{up.run['url']}/trials/{trial}", headers=headers)
    with urlopen(request, timeout=60) as answer:
        page = answer.read().decode()
    parts = {part.split('"', 1)[0]: part for part in page.split(' id="s-')[1:]}
    for name, rule in found.items():
        assert ("The boundary is reached" in parts[name]) is rule["crossed"], name
        assert f"/trials/{trial}/stopping/{name}/boundary.svg" in parts[name]


def crossing(rule: Json, units: Sequence[Unit], window_days: int) -> Crossing | None:
    """Where the path of the table first reaches the rule's boundary."""
    if rule["outcome"] == "binary":
        rows = [(row["evaluable"], row["stop_at"]) for row in rule["boundary"]]
        for point in published.binary_path(units, window_days):
            limits = [events for size, events in rows if size >= point.evaluable]
            if limits and point.events >= min(limits):
                return point
        return None
    cuts = {row["events"]: row["max_exposure"] for row in rule["exposure_boundary"]}
    measure = (
        published.exposure_days
        if rule["outcome"] == "time_to_event"
        else published.effective_subjects
    )
    for point in published.event_path(units, window_days):
        cut = cuts.get(point.events, cuts[max(cuts)] if point.events > max(cuts) else None)
        if cut is not None and measure(units, window_days, point.at) <= cut:
            return point
    return None


def publish(service: Service, events: list[Json]) -> None:
    for at in range(0, len(events), BATCH):
        answer = service.post("/v1/events", events[at : at + BATCH])
        assert answer.status == 202, answer.body


def stopping(service: Service, trial: str) -> list[Json]:
    answer = service.get(f"/v1/trials/{trial}/stopping")
    assert answer.status == 200, answer.body
    items: list[Json] = answer.body["items"]
    return items


def counted(service: Service, trial: str) -> int:
    """How many are evaluable by now under the first binary rule."""
    return next((rule["evaluable"] for rule in stopping(service, trial)), 0)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
