"""Ports that a bed chose before its servers listen on them."""

import asyncio
import socket

import pytest

from bed import ports


def test_a_reserved_port_is_given_to_nobody_else() -> None:
    """Before the kernel hands out any free port it asks what is asked here: can this socket be bound to it."""
    (port,) = ports.reserve(1)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_outgoing_connections_leave_a_reserved_port_alone() -> None:
    """Enough connections to one server to use half of all ports there are, were they all made."""
    reserved = set(ports.reserve(50))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        taken = set()
        for _ in range(5000):
            with socket.create_connection(server.getsockname()) as connection:
                taken.add(connection.getsockname()[1])
            server.accept()[0].close()
    assert len(taken) > 1000
    assert not taken & reserved


async def test_a_server_listens_on_its_reserved_port_again_and_again() -> None:
    (port,) = ports.reserve(1)
    for _ in range(3):
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
