"""Reading: what is known, in the contract's JSON shapes; nothing is written here.

Who comes in: the HTTP door, with a connection (one snapshot). Who goes out: the tables, and
`rules` for eligibility and stopping. Times leave as RFC 3339 in UTC, lists as items and cursor.
"""
