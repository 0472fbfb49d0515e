"""The lines of a watch, whatever chunks they arrive in."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

MAX_LINE: Final = 16 * 1024 * 1024
"""Bytes; etcd stores objects up to 1.5 MiB, so a line beyond this is no watch event."""


class LineTooLongError(Exception):
    """The stream is not one of watch events."""


async def lines(chunks: AsyncIterator[bytes], limit: int = MAX_LINE) -> AsyncGenerator[bytes, None]:
    """Whole lines only: what a cut connection leaves without its newline is dropped, for it is half an object."""
    pending: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            line = b"".join((*pending, part)) if pending else part
            pending.clear()
            size = 0
            if line:
                yield line
        if rest:
            pending.append(rest)
            size += len(rest)
            if size > limit:
                text = f"a line of more than {limit} bytes"
                raise LineTooLongError(text)
