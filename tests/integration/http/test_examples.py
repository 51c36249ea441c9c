"""Every example of a protocol becomes a trial through the API, and judges its first scenario there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rules
from tests.integration.http.conftest import House

EXAMPLES = sorted((Path(rules.__file__).parent / "protocols" / "examples").glob("*.yaml"))


def published(trial: str, row: Any) -> dict[str, Any]:
    """An event of a scenario as its publisher would send it to this trial."""
    return {**row, "trial": trial, "source": "https://edc.example/"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_created_through_the_api_and_judged(house: House, file: Path) -> None:
    admin, text = house.door("admin"), file.read_text(encoding="utf-8")
    trial, story = file.stem, rules.loads(text, file.name).definition.scenarios[0]
    wish = {"id": trial, "mode": "replay", "protocol": text}
    assert admin.post("/v1/trials", json=wish).status_code == 201
    sent = house.publish(*(published(trial, row) for row in story.events))
    assert sent.status_code == 202, sent.json
    house.evaluate(trial)
    answer: Any = admin.get(f"/v1/trials/{trial}/subjects/S-1/eligibility").json
    found = {item["id"]: item["verdict"] for item in answer["criteria"]}
    (expected,) = story.expect
    assert (answer["decision"], answer["pending"]) == (expected.decision, 0)
    assert {name: found[name] for name in expected.verdicts} == expected.verdicts
    alerts: Any = admin.get(f"/v1/alerts?trial={trial}&status=open").json
    assert sorted(alert["rule"] for alert in alerts["items"]) == sorted(expected.alerts or ())
