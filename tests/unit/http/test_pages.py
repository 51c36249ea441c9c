"""Cursors are opaque, and what is not one is refused before it reaches a database."""

import pytest

from services.errors import Rejected
from services.reading.pages import pack, page, unpack


def test_a_cursor_gives_back_its_key():
    assert unpack(pack((5, "al_x")), int, str) == [5, "al_x"]


def test_no_cursor_is_no_key():
    assert unpack(None, int) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "ä",
        "!!!!",
        pack(("a",)),
        pack((1, 2)),
        pack((2**63,)),
        pack((True,)),
        "bnVsbA",
        "e30",
    ],
)
def test_what_is_not_a_cursor_of_the_list_is_refused(cursor):
    with pytest.raises(Rejected):
        unpack(cursor, int)


def test_a_cursor_with_a_character_that_no_database_stores_is_refused():
    with pytest.raises(Rejected):
        unpack(pack(("\x00",)), str)


def test_the_last_page_has_no_next():
    assert page([1, 2], 2, lambda row: {"n": row}, lambda row: (row,))["next"] is None
    assert unpack(page([1, 2, 3], 2, lambda row: {"n": row}, lambda row: (row,))["next"], int) == [
        2
    ]
