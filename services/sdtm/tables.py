"""SDTM tables in a folder: `lb.csv`, or with the study's name and packed, `x_lb.csv.gz`.

Who comes in: the import. Who goes out: rows, every cell a text as it stands.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from services.errors import ServiceError

DOMAINS = ("dm", "ex", "ae", "vs", "lb")
Row = Mapping[str, str]
Tables = Mapping[str, Sequence[Row]]


def folder_tables(folder: Path) -> Tables:
    """The tables of the domains that events are made of, by domain.

    Raises ServiceError for a folder without subjects (DM), two files of one domain, or no CSV.
    """
    files = {domain: _file(folder, domain) for domain in DOMAINS}
    if files["dm"] is None:
        raise ServiceError(f"{folder}: there is no table of subjects (dm.csv or STUDY_dm.csv[.gz])")
    return {domain: _rows(file) for domain, file in files.items() if file is not None}


def _file(folder: Path, domain: str) -> Path | None:
    endings = (f"{domain}.csv", f"{domain}.csv.gz")
    found = sorted(
        file
        for file in folder.iterdir()
        for ending in endings
        if file.name.lower() == ending or file.name.lower().endswith(f"_{ending}")
    )
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise ServiceError(f"{folder}: more than one table {domain.upper()} ({names}); keep one")
    return found[0] if found else None


def _rows(file: Path) -> list[Row]:
    try:
        if file.suffix.lower() == ".gz":
            with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as packed:
                return _read(packed, file)
        with file.open(encoding="utf-8-sig", newline="") as plain:
            return _read(plain, file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ServiceError(f"{file}: cannot be read as a CSV table in UTF-8 ({error})") from error


def _read(lines: Iterable[str], file: Path) -> list[Row]:
    reader = csv.DictReader(lines)
    if "USUBJID" not in (reader.fieldnames or ()):
        raise ServiceError(f"{file}: has no column USUBJID; its first line must name the columns")
    rows: list[Row] = []
    for row in reader:
        if None in row or None in row.values():
            raise ServiceError(f"{file}:{reader.line_num}: has not as many cells as the first line")
        rows.append(row)
    return rows
