"""Who knows the path can still not hold the webhook up: bodies and places are bounded in size, number and time (T52)."""

import asyncio
import json
import ssl
import tracemalloc

import pytest
import trustme
from typer.testing import CliRunner

from daypass.cli.main import app
from daypass.webhook import listener
from webhook.desk import Desk, a_manifest, a_review, trusting

MUTATING = "/" + "a" * 64
GOOD = a_review("CREATE", new=a_manifest())


async def _unfinished(
    desk: Desk, context: ssl.SSLContext, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request whose body never comes."""
    host, _, port = desk.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    writer.write(f"POST {MUTATING} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def test_t52_a_body_that_does_not_come_is_given_up(
    desk: Desk, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PATIENCE_SECONDS", 0.2)
    reader, writer = await _unfinished(desk, trusting(authority), 100)
    answer = await asyncio.wait_for(reader.read(), 10)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the admission review did not arrive in time" in answer
    writer.close()
    assert (await desk.mutate(GOOD))["allowed"]


async def test_t52_large_bodies_wait_for_one_another_and_small_ones_do_not(
    desk: Desk, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = trusting(authority)
    held = [await _unfinished(desk, context, listener.LARGE + 1) for _ in range(listener.LARGE_AT_ONCE)]
    await asyncio.sleep(0.2)
    monkeypatch.setattr(listener, "PATIENCE_SECONDS", 0.2)
    code, body = await desk.post(MUTATING, b" " * (listener.LARGE + 1))
    assert code == 503
    assert json.loads(body)["message"] == "too many admission reviews at once"
    assert (await desk.mutate(GOOD))["allowed"]
    for _, writer in held:
        writer.close()


async def test_t52_a_connection_that_says_nothing_takes_little_memory(desk: Desk, authority: trustme.CA) -> None:
    context = trusting(authority)
    host, _, port = desk.address.rpartition(":")
    assert (await desk.mutate(GOOD))["allowed"]
    tracemalloc.start()
    try:
        silent = [await asyncio.open_connection(host, int(port), ssl=context) for _ in range(20)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(silent) < 2 * 128 * 1024  # at both ends
    for _, writer in silent:
        writer.close()


@pytest.mark.parametrize("listen", ["9443", "127.0.0.1", ":9443", "127.0.0.1:https"])
def test_an_address_that_is_none_is_said_before_anything_starts(listen: str) -> None:
    done = CliRunner().invoke(app, ["webhook", "--listen", listen])
    assert done.exit_code == 2
    assert f"'{listen}' is not HOST:PORT" in done.output
