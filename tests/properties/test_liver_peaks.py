"""The quick look at liver values, done at each event, answers as the whole judgement does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rules.clinical.hys_law import Law, Liver, Sample, judged, peaks
from rules.facts.liver import below, highest
from rules.model import LiverRule

_NUMBERS = st.one_of(
    st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.0, 3.0, 2.9999999999999, 3.0000000000001, 40.0, 120.0]),
    st.floats(0, 500),
)
_UPPERS = st.one_of(st.none(), st.sampled_from([0.0, 0.1, 1.0, 40.0]), st.floats(0.01, 60))
_RECORDS = st.lists(st.tuples(_NUMBERS, _UPPERS), max_size=8).map(
    lambda pairs: [
        [n, n, n, value, f"ev{n}", None, None, False, upper]
        for n, (value, upper) in enumerate(pairs)
    ]
)
RULE = LiverRule(("alt", "ast", "bilirubin", "alp"))


def samples(test, records):
    return [
        Sample(test, one[0], one[1], one[3], one[8], time_us=one[0], event=one[4])
        for one in records
    ]


@given(_RECORDS, _RECORDS, _RECORDS)
def test_the_peaks_of_what_may_be_highest_are_the_peaks_of_all(alt, ast, bilirubin):
    def found(reduce):
        at = [*samples("alt", reduce(alt)), *samples("ast", reduce(ast))]
        return peaks(Liver(at, samples("bilirubin", reduce(bilirubin))), RULE)

    assert found(highest) == found(list)


@given(_RECORDS, _RECORDS)
def test_transaminases_clearly_below_the_limit_are_no_signal(alt, bilirubin):
    if below(alt, RULE.at_times):
        found = judged(Liver(samples("alt", alt), samples("bilirubin", bilirubin)), RULE)
        assert found == (Law.NONE if alt else None, None, None, None, None)
