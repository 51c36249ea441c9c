"""An alert says where its rule comes from in words that a reader outside the file understands."""

from __future__ import annotations

from rules.findings import source_text
from rules.model import Source


def test_a_source_is_named_as_the_protocol_calls_it() -> None:
    source = Source("team", "Gate before an infusion", "as exclusion 2", "to be confirmed")
    assert source_text(source, {"team": "The team's proposal"}) == (
        "The team's proposal, Gate before an infusion: as exclusion 2 (to be confirmed)"
    )


def test_a_source_that_the_protocol_does_not_name_stands_as_it_is() -> None:
    assert source_text(Source("engine", "cross-check"), {}) == "engine, cross-check"
