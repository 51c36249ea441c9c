"""`--batch`: cases in, one answer a line out, for commands that answer many at once.

Who comes in: commands with `--batch`. Who goes out: answer_all(). Cases come one a line or as
{"cases": [...]}; an answer is {"id", ...}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import orjson

Json = dict[str, Any]


class CaseError(Exception):
    """A case that cannot be answered, and why."""


def answer_all(raw: bytes, answered: Callable[[Json], Json], *, flat: bool = False) -> int:
    """Print one answer a line for each case; one without says why, and the status is 1.

    `flat`: what was answered stands beside the id, not as its `result`.
    """
    failed = 0
    for case in _cases(raw):
        answer: Json = {"id": case.get("id")}
        try:
            found = answered(case)
            answer |= found if flat else {"result": found}
        except CaseError as error:
            answer["error"] = str(error)
            failed += 1
        sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    return 1 if failed else 0


def _cases(raw: bytes) -> Sequence[Json]:
    """NDJSON or {"cases": [...]}. Raises UsageError, naming the line, for anything else."""
    try:
        whole = orjson.loads(raw)
    except orjson.JSONDecodeError:
        whole = None
    if isinstance(whole, dict) and "cases" in whole:
        cases = whole["cases"]
    else:
        lines = raw.splitlines()
        cases = [_case(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise click.UsageError('--batch takes one case a line, or {"cases": [...]}')
    return cases


def _case(number: int, line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"--batch, line {number} is not JSON: {error}") from None
