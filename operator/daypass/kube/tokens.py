"""A bearer token in a file that somebody else renews."""

import time
from pathlib import Path
from typing import Final

REREAD_SECONDS: Final = 10.0
"""The kubelet renews a token at 80 % of its hour or more, so ten seconds late is never too late."""


class TokenFile:
    """Reads the token again every ten seconds, and keeps the last one while the file can't be read."""

    __slots__ = ("_read_at", "_token", "path")

    def __init__(self, path: Path) -> None:
        """Nothing is read before it is needed."""
        self.path = path
        self._token = ""
        self._read_at = float("-inf")

    def read(self, now: float | None = None) -> str:
        """The token as of at most ``REREAD_SECONDS`` ago; raises OSError if it never could be read."""
        if now is None:
            now = time.monotonic()
        if now - self._read_at < REREAD_SECONDS:
            return self._token
        try:
            self._token = self.path.read_text(encoding="ascii").strip()
        except OSError:
            if not self._token:
                raise
        self._read_at = now
        return self._token

    def forget(self) -> None:
        """Read the file at the next use: the server refused what we had."""
        self._read_at = float("-inf")
