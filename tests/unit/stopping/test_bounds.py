"""The boundary of a design: what it is, what it must not be, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from rules.stopping import Accrual, Design, DesignError, Method, boundary, characteristics
from rules.stopping.design import continuous

PLANNED = Design(
    method=Method.BAYES_THRESHOLD,
    looks=continuous(10),
    p0=0.2,
    threshold=0.95,
    prior=(0.4, 1.6),
)


def test_the_flagships_rule_has_the_table_that_its_protocol_prints() -> None:
    assert boundary(PLANNED).rows == (
        *((2, 2), (3, 3), (4, 3), (5, 4), (6, 4), (7, 4), (8, 4), (9, 5), (10, 5)),
    )


def test_a_single_look_is_a_plain_binomial_test() -> None:
    bound = boundary(Design(method=Method.POCOCK, looks=(10,), p0=0.2, alpha=0.05))
    assert bound.stop_at == (5,)
    assert bound.type_1_error == pytest.approx(0.0327934976, abs=1e-10)


def test_a_rule_whose_strictest_boundary_exceeds_alpha_says_that_it_never_stops() -> None:
    bound = boundary(Design(method=Method.POCOCK, looks=(1,), p0=0.2, alpha=0.05))
    assert bound.never_stops
    assert bound.type_1_error == 0
    assert bound.notes == ("never stops: even its strictest boundary exceeds alpha",)


def test_an_error_of_exactly_alpha_is_allowed() -> None:
    bound = boundary(Design(method=Method.POCOCK, looks=(1,), p0=0.1, alpha=0.1))
    assert bound.stop_at == (1,)


def test_values_that_are_mathematically_equal_stop_together() -> None:
    # P(X >= 3; 3, 1/4) = P(X >= 4; 5, 1/4) = 1/64: whichever rounding, both or neither
    bound = boundary(Design(method=Method.POCOCK, looks=(3, 5), p0=0.25, alpha=0.03))
    assert bound.critical == pytest.approx(-1 / 64)
    assert bound.stop_at == (3, 4)


def test_accrual_tells_who_is_pending_when_the_trial_stops() -> None:
    bound = boundary(PLANNED)
    (one,) = characteristics(bound, [0.3], Accrual(window_days=30, accrual_days=300))
    assert one.expected_pending is not None
    assert one.expected_enrolled == pytest.approx(one.expected_evaluable + one.expected_pending)
    assert one.expected_pending > 0


@pytest.mark.parametrize("looks", [(6,), (4, 7, 10), tuple(range(1, 11))])
def test_pending_enrolled_and_calendar_are_those_of_simulated_arrivals(
    looks: tuple[int, ...],
) -> None:
    # The only simulation here: of entry times alone, against the exact expectation.
    bound = boundary(Design(method=Method.POCOCK, looks=looks, p0=0.2, alpha=0.2))
    (row,) = characteristics(bound, [0.4], Accrual(window_days=30, accrual_days=120))
    chance, n, trials = np.random.default_rng(5), looks[-1], 40_000
    entry = np.sort(chance.uniform(0, 120, (trials, n)), axis=1)
    events = np.cumsum(chance.uniform(size=(trials, n)) < 0.4, axis=1)
    last = np.full(trials, n)  # evaluable units at the end
    for size, limit in reversed(bound.rows):
        last[events[:, size - 1] >= limit] = size
    instant = entry[np.arange(trials), last - 1] + 30
    stopped = np.zeros(trials, dtype=bool)
    for size, limit in bound.rows:
        stopped |= events[:, size - 1] >= limit
    pending = np.where(stopped, (entry < instant[:, None]).sum(axis=1) - last, 0)
    for found, simulated in (
        (row.expected_pending, pending),
        (row.expected_enrolled, last + pending),
        (row.expected_calendar_days, instant),
        (row.expected_evaluable, last),
    ):
        error = 4 * simulated.std() / np.sqrt(trials) + 1e-9
        assert found == pytest.approx(simulated.mean(), abs=error)


@pytest.mark.parametrize(
    ("design", "sentence"),
    [
        (Design(method=Method.POCOCK, looks=(5,), p0=1.0, alpha=0.05), "p0 must lie between"),
        (Design(method=Method.POCOCK, looks=(5,), p0=0.2, alpha=0.0), "alpha must lie between"),
        (Design(method=Method.POCOCK, looks=(5, 5), p0=0.2, alpha=0.05), "looks must increase"),
        (Design(method=Method.POCOCK, looks=(), p0=0.2, alpha=0.05), "no look"),
        (Design(method=Method.POCOCK, looks=(0,), p0=0.2, alpha=0.05), "1 evaluable unit or more"),
        (Design(method=Method.SPRT, looks=(5,), p0=0.2, alpha=0.05), "sprt needs p1"),
        (Design(method=Method.SPRT, looks=(5,), p0=0.2, p1=0.2, alpha=0.05), "greater than p0"),
        (
            Design(method=Method.BETA_BINOMIAL, looks=(5,), p0=0.2, alpha=0.05, prior=(0.0, 1.0)),
            "prior must be two positive numbers, not 0,1",
        ),
        (Design(method=Method.POCOCK, looks=(5,), p0=0.2, alpha=0.05, nu=0.2), "does not use nu"),
        (Design(method=Method.GAMMA_POISSON, looks=(5,), p0=0.2, alpha=0.05), "does not exist"),
        (Design(method=Method.TABLE, looks=(5,), table=((5, 6),)), "stop at 6 events among 5"),
    ],
)
def test_a_bad_parameter_is_one_clear_sentence(design: Design, sentence: str) -> None:
    with pytest.raises(DesignError, match=sentence) as raised:
        boundary(design)
    assert len(raised.value.problems) == 1
