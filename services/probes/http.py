"""Does a server of this container answer?

Who comes in: a health check with a URL of loopback. Who goes out: one GET.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_PATIENCE_S = 5.0


def complaint(url: str) -> str | None:
    """What is wrong with the server at `url`; None: it answers 200."""
    parts = urlsplit(url)
    line = HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE_S)
    try:
        line.request("GET", parts.path or "/")
        status = line.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no answer ({type(error).__name__})"
    finally:
        line.close()
    return None if status == HTTPStatus.OK else f"answered {status}"


if __name__ == "__main__":
    sys.exit(complaint(sys.argv[1]))
