"""Whatever a file or a publisher says, the answer is a complaint or a value, never a crash."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rules
from rules.language.editors import exemplar
from rules.language.shapes import PUBLISHED, fields_of
from tests.support.small import SMALL

SHARDS = (
    *("null", "[]", "{}", "-1", "1e400", "true", '"x"', "[[]]", "{a: 1}", "9" * 30, '""', "~"),
    *("!", "&", "*x", "{", "}", "[", "]", ":", "-", "#", "%", "@", "'", "\t", "\x07", "\n", "𝄞"),
    *("params.x", "((", "a && ", "\n  - "),
)


FLAGSHIP = Path(__file__).parents[2] / "rules" / "protocols" / "msc-cgvhd.yaml"
TEXTS = {
    "small": SMALL,
    "flagship": FLAGSHIP.read_text(encoding="utf-8"),
    "one of every construct": exemplar(),
}
EACH = {"small": 120, "flagship": 40, "one of every construct": 60}
_WORD = re.compile(r"[A-Za-z0-9_.]+")


def bent(rng: random.Random, text: str = SMALL) -> str:
    """A protocol after one to three slips of the pen."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        line = lines[at]
        cut = rng.randrange(len(line) + 1)
        lines[at : at + 1] = rng.choice(
            [
                [],
                [line[: line.find(":") + 1] + " " + rng.choice(SHARDS)],
                [line[:cut] + rng.choice(SHARDS) + line[cut:]],
                [line[:cut] + line[cut + 1 :]],
                [line, lines[rng.randrange(len(lines))]],
                [line + lines[rng.randrange(len(lines))]],
            ]
        )
        if not lines:
            break
    return "\n".join(lines)


def swapped(rng: random.Random, text: str) -> str:
    """A protocol in which one to three words are other words of its own."""
    words = sorted(set(_WORD.findall(text)))
    for _ in range(rng.randint(1, 3)):
        found = rng.choice(list(_WORD.finditer(text)))
        text = text[: found.start()] + rng.choice(words) + text[found.end() :]
    return text


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_bent_file_loads_or_complains_with_lines(seed, text):
    rng = random.Random(seed)
    for number in range(EACH[text]):
        broken = (swapped if number % 3 == 0 else bent)(rng, TEXTS[text])
        for complaint in complaints(broken):
            assert 1 <= complaint.line <= broken.count("\n") + 2
            assert re.match(r"p\.yaml:\d+: .", str(complaint))


def complaints(text: str) -> list[rules.Complaint]:
    try:
        protocol = rules.loads(text, "p.yaml")
    except rules.ProtocolError as error:
        return error.complaints or pytest.fail("an error without a complaint")
    return list(rules.check(protocol).complaints) if len(text) < 20_000 else []


CHECKER = rules.loads(SMALL).checker
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        ["temperature", "ecog", "Cel", "active", "2019-02-30", "2019-05-03T24:00:00Z"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["system", "code", "source", "id", "skin"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
KEYS = sorted({key for fields in fields_of(CHECKER.dates).values() for key in fields})


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from([kind.value for kind in PUBLISHED]),
    data=JSON | st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6),
)
def test_any_json_passes_the_door_or_is_refused_with_pointers(kind, data):
    canonical, problems = CHECKER.check(kind, data, 1_767_582_000_000_000)
    assert all(pointer.startswith("/") and detail for pointer, detail, _ in problems)
    if not problems:
        again, none = CHECKER.check(kind, canonical, 1_767_582_000_000_000)
        assert (again, none) == (canonical, [])
