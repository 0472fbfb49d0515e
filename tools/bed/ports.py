"""Ports on loopback that stay ours."""

import atexit
import socket
from contextlib import ExitStack
from typing import Final

_held: Final = ExitStack()
atexit.register(_held.close)


def reserve(count: int) -> list[int]:
    """That many ports, kept for our servers for as long as this process lives.

    Each stays bound, without listening, by a socket with SO_REUSEADDR. So the kernel gives it to nobody who asks for
    any port, neither a server nor an outgoing connection, whether our server on it has not started yet or was killed;
    a server that sets SO_REUSEADDR, as Go's and asyncio's do, may still listen there.
    """
    return [_reserve() for _ in range(count)]


def _reserve() -> int:
    holder = _held.enter_context(socket.socket())
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return int(holder.getsockname()[1])
