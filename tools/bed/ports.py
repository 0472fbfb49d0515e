"""Free ports on loopback."""

import socket
from contextlib import ExitStack


def free(count: int) -> list[int]:
    """That many ports that are free now; all are held until the last is found, so no two are the same."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
