"""`--batch`: cases in, one answer a line out, for commands that answer many at once.

Who comes in: commands with `--batch`. Who goes out: answer_all(). Cases come one a line, as
{"cases": [...]} or as [...]; an answer is {"id", ...}.
"""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
import orjson

Json = dict[str, Any]
_FORMS = 'one case a line, {"cases": [...]} or [...]'


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
    """NDJSON, {"cases": [...]} or [...]. Raises UsageError, naming the line, for anything else.

    All is read before any is answered: of a file that is broken nothing is answered.
    """
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        whole = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _one_a_line(raw, error)
    cases = whole.get("cases", [whole]) if isinstance(whole, dict) else whole
    if not isinstance(cases, list):
        raise click.UsageError(f"--batch takes {_FORMS}")
    _read(raw, "")  # once more, for keys that come twice
    for number, case in enumerate(cases, 1):
        if not isinstance(case, dict):
            raise click.UsageError(f"--batch, case {number} is no JSON object; it takes {_FORMS}")
    return cases


def _one_a_line(raw: bytes, whole: orjson.JSONDecodeError) -> Sequence[Json]:
    """`whole`: why the file is not one document, told where not even its first line is one."""
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    if not lines:
        raise click.UsageError(f"--batch holds no case; it takes {_FORMS}")
    try:
        orjson.loads(lines[0][1])
    except orjson.JSONDecodeError:
        raise click.UsageError(f"--batch, line {whole.lineno} is not JSON: {whole.msg}") from None
    return [_case(number, line) for number, line in lines]


def _case(number: int, line: bytes) -> Json:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"--batch, line {number} is not JSON: {error.msg}") from None
    case = _read(line, f", line {number}")
    if not isinstance(case, dict):
        raise click.UsageError(f"--batch, line {number} is no JSON object; it takes {_FORMS}")
    return case


def _read(text: bytes, where: str) -> Any:
    """What orjson has read already; a key that comes twice in an object is a UsageError."""

    def only_once(pairs: list[tuple[str, Any]]) -> Json:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise click.UsageError(f"--batch{where}: `{twice}` comes twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=only_once)
    except RecursionError:
        raise click.UsageError(f"--batch{where} is nested too deeply; cases are flat") from None
