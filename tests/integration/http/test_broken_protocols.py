"""Broken and hostile protocols at the API: refused with their lines, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.http.conftest import Door, House
from tests.support.hostile import HOSTILE

TRIAL = "/v1/trials/msc-cgvhd"
FOLDER = Path(__file__).parents[2] / "protocols" / "broken"
FILES = sorted(FOLDER.glob("*.yaml"))
NOT_UTF8 = {"not-utf8", "utf-16"}


def sent(door: Door, body: bytes):
    return door.post(f"{TRIAL}/protocols", data=body, content_type="application/yaml")


def test_every_broken_protocol_is_refused_with_the_lines_that_the_command_tells(
    house: House,
) -> None:
    door = house.door("admin")
    for file in FILES:
        answer = sent(door, file.read_bytes())
        if file.stem in NOT_UTF8:
            assert answer.status_code == 400, file.stem
            continue
        assert answer.status_code == 422, file.stem
        told = [
            f"{problem['detail']} ({problem['hint']})" if problem.get("hint") else problem["detail"]
            for problem in answer.json["errors"]
        ]
        words = file.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
        lines = [line.removeprefix(f"{file.name}:") for line in words]
        assert told == [f"line {line}" for line in lines], file.stem


@pytest.mark.parametrize("name", HOSTILE)
def test_a_protocol_made_to_keep_the_house_busy_is_refused(house: House, name: str) -> None:
    answer = sent(house.door("admin"), HOSTILE[name].encode())
    assert answer.status_code in (413, 422)
    assert len(answer.get_data()) < 100_000
