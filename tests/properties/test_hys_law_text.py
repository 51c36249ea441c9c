"""Hy's law over random liver values, beside a reading of FDA 2009 as its sentences stand."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.clinical.hys_law import Law, Liver, Sample, judged, peaks
from rules.model import LiverRule

RULE = LiverRule()
WINDOW, ALP_DAYS = 14, 7  # days
UPPER = {"alt": 40.0, "ast": 32.0, "bilirubin": 20.0, "alp": 100.0}
EDGES = {
    **dict.fromkeys(("alt", "ast"), (0.5, 1.0, 2.9, 3.0, 3.1, 4.5, 7.5, 8.0, 10.0)),
    "bilirubin": (0.5, 1.0, 1.9, 2.0, 2.1, 4.8, 7.0, 7.2, 9.6),
    "alp": (0.5, 1.0, 1.9, 2.0, 2.1, 5.0),
}


class Told(NamedTuple):
    """One value, in multiples of the limit of its test; `limit`: whether that was told too."""

    test: str
    day: int
    times: float
    limit: bool


values = st.sampled_from(sorted(EDGES)).flatmap(
    lambda test: st.builds(
        Told,
        st.just(test),
        st.integers(0, 40),
        st.sampled_from(EDGES[test]),
        st.sampled_from([True, True, True, False]),
    )
)
# Of the transaminases and of bilirubin: the baseline in multiples of its limit, None: none told.
bases = st.fixed_dictionaries(
    {test: st.sampled_from([None, None, 1.0, 1.5, 3.0]) for test in ("alt", "ast", "bilirubin")}
)
Bases = dict[str, float | None]


def sample(one: Told, base: Bases) -> Sample:
    upper, times = UPPER[one.test], base.get(one.test)
    before = None if times is None else round(times * upper, 6)
    return Sample(
        one.test,
        one.day,
        one.day,
        round(one.times * upper, 6),
        upper if one.limit else None,
        before,
        None if before is None else upper,
    )


def liver(told: list[Told], base: Bases) -> Liver:
    made = [sample(one, base) for one in told]
    return Liver(
        [one for one in made if one.test in {"alt", "ast"}],
        [one for one in made if one.test == "bilirubin"],
        [one for one in made if one.test == "alp"],
    )


def raised(one: Told, base: Bases) -> bool | None:
    """At least 3 (bilirubin: 2) limits; where the baseline was above its own, multiples of that."""
    before = base.get(one.test)
    if before is not None and before > 1:
        if one.test == "bilirubin":
            return round(one.times / before, 9) >= 4.8
        return round(one.times / before, 9) >= 3 or round(one.times * UPPER[one.test], 6) >= 300
    if not one.limit:
        return None
    return one.times >= (2 if one.test == "bilirubin" else 3)


def by_hand(told: list[Told], base: Bases) -> Law | None:
    at = [one for one in told if one.test in {"alt", "ast"}]
    bilirubin = [one for one in told if one.test == "bilirubin"]
    found: set[Law | None] = set()
    for one in at:
        high = raised(one, base)
        within = [raised(two, base) for two in bilirubin if 0 <= two.day - one.day <= WINDOW]
        if high and True in within:
            found.add(_cholestasis(told, at, one))
        elif high is not False and (True in within or None in within):
            found.add(Law.LIMITS_MISSING)
        elif high is not False and not within:
            found.add(None if high else Law.LIMITS_MISSING)
    order = [Law.CANDIDATE, Law.CHOLESTASIS_UNKNOWN, Law.CHOLESTATIC, Law.LIMITS_MISSING, None]
    worst = [law for law in order if law in found]
    return worst[0] if worst else Law.NONE if at else None


def _cholestasis(told: list[Told], at: list[Told], one: Told) -> Law:
    """Only an alkaline phosphatase that was recorded beside the peak says anything."""
    near = [two for two in at if abs(two.day - one.day) <= WINDOW]
    height = max(two.times if two.limit else -1.0 for two in near)
    peaks_ = {two.day for two in near if (two.times if two.limit else -1.0) == height}
    laws = set()
    for day in peaks_:
        beside = [
            two.times
            for two in told
            if two.test == "alp" and two.limit and abs(two.day - day) <= ALP_DAYS
        ]
        if not beside:
            laws.add(Law.CHOLESTASIS_UNKNOWN)
        else:
            laws.add(Law.CHOLESTATIC if max(beside) >= 2 else Law.CANDIDATE)
    return next(law for law in Law if law in laws)


@settings(max_examples=500, deadline=None)
@given(st.lists(values, max_size=9), bases)
def test_liver_values_together_are_what_the_sentences_say(told: list[Told], base: Bases) -> None:
    assert judged(liver(told, base), RULE).law == by_hand(told, base)


@settings(max_examples=150, deadline=None)
@given(st.lists(values, max_size=9), bases)
def test_the_order_in_which_values_are_told_makes_no_difference(
    told: list[Told], base: Bases
) -> None:
    other = sorted(told, key=lambda one: (one.times, one.day))
    assert judged(liver(told, base), RULE).law == judged(liver(other, base), RULE).law


@settings(max_examples=150, deadline=None)
@given(st.lists(values, max_size=6), bases)
def test_a_signal_is_never_in_the_normal_quadrant(told: list[Told], base: Bases) -> None:
    """Where the baseline was normal: both limits of the law were reached some time."""
    plain: Bases = dict.fromkeys(base)
    if judged(liver(told, plain), RULE).law in {Law.CANDIDATE, Law.CHOLESTATIC}:
        assert peaks(liver(told, plain), RULE).quadrant == "hy"
