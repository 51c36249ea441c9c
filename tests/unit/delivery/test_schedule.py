"""The retry schedule of the contract, as data, and what a minimal body leaves out."""

from __future__ import annotations

import pytest

from services import delivery

S, M, H = 1, 60, 3600

ORDINARY = [5 * S, 5 * M, 30 * M, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H]
CRITICAL = [
    5 * S,
    15 * S,
    1 * M,
    2 * M,
    5 * M,
    30 * M,
    2 * H,
    5 * H,
    10 * H,
    14 * H,
    20 * H,
    24 * H,
]


@pytest.mark.parametrize(
    ("critical", "table"),
    [pytest.param(False, ORDINARY, id="ordinary"), pytest.param(True, CRITICAL, id="critical")],
)
def test_waits_are_the_contracts_and_then_there_is_no_more(
    critical: bool, table: list[int]
) -> None:
    waits = [delivery.wait_s(critical, failed, None, 0.0) for failed in range(1, len(table) + 1)]
    assert waits == table
    assert delivery.wait_s(critical, len(table) + 1, None, 0.0) is None


@pytest.mark.parametrize(
    ("failed", "wish_s", "spread", "expected_s"),
    [
        pytest.param(1, None, 0.5, 5.25, id="jitter lengthens by up to a tenth"),
        pytest.param(1, 120.0, 0.0, 120.0, id="a longer wish is respected"),
        pytest.param(2, 1.0, 0.0, 300.0, id="a shorter wish changes nothing"),
    ],
)
def test_jitter_and_the_receivers_wish(
    failed: int, wish_s: float | None, spread: float, expected_s: float
) -> None:
    assert delivery.wait_s(False, failed, wish_s, spread) == pytest.approx(expected_s)


def test_a_minimal_body_leaves_out_detail_values_units_and_notes_and_nothing_else() -> None:
    alert = {
        "id": "a",
        "title": "t",
        "detail": "38.4",
        "resolution": None,
        "acknowledged": {"by": "p", "at": "t", "note": "38.4 Cel, called"},
        "evidence": [{"fact": "f", "value": 38.4, "unit": "Cel", "time": "t", "event": "e"}],
    }
    assert delivery.minimal(alert) == {
        "id": "a",
        "title": "t",
        "resolution": None,
        "acknowledged": {"by": "p", "at": "t", "note": None},
        "evidence": [{"fact": "f", "time": "t", "event": "e"}],
    }
    assert alert["detail"] == "38.4"
