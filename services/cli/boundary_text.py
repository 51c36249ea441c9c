"""`vigil boundary` as a person reads it.

Who comes in: the boundary command, with its answer. Who goes out: lines, unbeaten_lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

Json = dict[str, Any]

_AMOUNTS = {"time_to_event": "total exposure in days", "tite": "effective sample"}


def lines(answer: Json) -> Iterator[str]:
    """The boundary, its error, its notes and its characteristics."""
    given = answer["parameters"]
    said = ", ".join(f"{name} {_short(value)}" for name, value in given.items() if name != "looks")
    yield f"{answer['method']}: {said}"
    if answer["type_1_error"] is not None:
        yield f"type I error {answer['type_1_error']:.6f}"
    yield from (f"note: {note}" for note in answer["notes"])
    yield ""
    yield from _table(answer["boundary"], _AMOUNTS.get(given["outcome"], ""))
    yield ""
    yield f"{'true rate':>10} {'stops':>8} {'events':>8} {'evaluable':>10}"
    for row in answer["operating_characteristics"]:
        yield (
            f"{row['p']:>10g} {row['reject']:>8.4f} {row['expected_events']:>8.3f} "
            f"{row['expected_evaluable']:>10.3f}"
        )


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_short(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(rows: Sequence[Json], amount: str) -> Iterator[str]:
    """The boundary, looks with the same limit in one line."""
    if rows and "events" in rows[0]:
        yield f"{'events':>10}  stop if the {amount} is at most"
        yield from (f"{row['events']:>10}  {row['max_exposure']:.4f}" for row in rows)
        return
    accepting = any(row.get("accept_at") is not None for row in rows)
    yield f"{'evaluable':>10}  stop at" + ("  accept at" if accepting else "")
    for (limit, accepted), same in groupby(
        rows, lambda row: (row["stop_at"], row.get("accept_at"))
    ):
        sizes = [row["evaluable"] for row in same]
        span = f"{sizes[0]}-{sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
        limits = f"{'-' if limit is None else limit!s:>7}"
        yield f"{span:>10}  {limits}" + (
            f"  {'-' if accepted is None else accepted!s:>9}" * accepting
        )


def unbeaten_lines(answer: Json) -> Iterator[str]:
    """The boundaries that nothing beats, one a line."""
    given = answer["parameters"]
    yield ", ".join(f"{name} {_short(value)}" for name, value in given.items() if name != "looks")
    yield ""
    yield f"{'error':>8} {'power':>8} {'evaluable':>10}  stop at events/evaluable"
    for one in answer["admissible"]:
        rows = " ".join(f"{row['stop_at']}/{row['evaluable']}" for row in one["boundary"])
        yield (
            f"{one['type_1_error']:>8.4f} {one['power']:>8.4f} "
            f"{one['expected_evaluable']:>10.3f}  {rows}"
        )
