"""Passwords: hashed with argon2id, checked in the same time whether or not there is an account.

Who comes in: people and sessions. Who goes out: argon2. Few are checked at a time: each needs its
memory, and a crowd of guesses must not take the processor from the trial.
"""

from __future__ import annotations

import secrets
import threading

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from services.errors import Busy, Problem, Rejected

SHORTEST, LONGEST = 12, 256
AT_A_TIME = 2
PATIENCE_S = 5.0
# 19 MiB, two passes: what OWASP's cheat sheet asks of argon2id at least.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, type=Type.ID)
# In place of the hash of an account that does not exist.
_NOBODYS = _HASHER.hash(secrets.token_hex(32))
_TURNS = threading.BoundedSemaphore(AT_A_TIME)
# No letter or digit that can be taken for another one.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP = 4, 4


def generate() -> str:
    """A password of 79 random bits that can be typed from paper."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def hashed(password: str, name: str) -> str:
    """What is stored of it. Raises Rejected for one that is easily guessed."""
    problems = []
    if not SHORTEST <= len(password) <= LONGEST:
        problems.append(
            Problem("/password", f"a password has {SHORTEST} to {LONGEST} characters", "a sentence")
        )
    elif password.lower().startswith(name.lower()) or len(set(password)) < SHORTEST // 3:
        problems.append(Problem("/password", "is easily guessed", "use several words"))
    if problems:
        raise Rejected(problems)
    return _HASHER.hash(password)


def fits(password: str, stored: str | None) -> bool:
    """Whether it is the stored one; None takes as long and never fits. Raises Busy."""
    if len(password) > LONGEST:
        return False
    if not _TURNS.acquire(timeout=PATIENCE_S):
        raise Busy("many people sign in now; try again in a moment")
    try:
        _HASHER.verify(stored or _NOBODYS, password)
        return stored is not None
    except (VerifyMismatchError, InvalidHashError):
        return False
    finally:
        _TURNS.release()
