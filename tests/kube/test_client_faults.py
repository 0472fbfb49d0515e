"""What a caller learns when the API server answers badly, late or not at all: a fake server does that."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from daypass.app.ports import CONFIG_MAPS, SECRETS, ApiError, RefusedError, UnavailableError
from daypass.kube.client import Client
from daypass.kube.connection import Connection, ConnectionSettingsError, from_kubeconfig
from daypass.kube.streams import LineTooLongError, lines
from daypass.kube.tokens import TokenFile
from kube.fake import FakeApi, until


async def test_fake_slow_server_is_no_answer_after_the_timeout(fake: FakeApi) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    fake.answer = slow
    async with Client(fake.connection, timeout_seconds=0.5) as client:
        with pytest.raises(UnavailableError, match="no answer to GET /api/v1/namespaces/default/configmaps/a"):
            await client.get(CONFIG_MAPS, "a", "default")
        with pytest.raises(UnavailableError, match="no answer to watch configmaps"):
            await anext(client.watch(CONFIG_MAPS, "1"))


async def test_fake_429_carries_when_to_come_back_and_is_not_tried_again(fake_client: Client, fake: FakeApi) -> None:
    calls = 0

    async def busy(_request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        status = {"kind": "Status", "message": "too many requests", "reason": "TooManyRequests"}
        return web.json_response(status, status=429, headers={"Retry-After": "7"})

    fake.answer = busy
    with pytest.raises(UnavailableError, match=r"^too many requests$") as caught:
        await fake_client.create(CONFIG_MAPS, {}, "default")
    assert (caught.value.retry_after_seconds, caught.value.code, calls) == (7, 429, 1)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, UnavailableError) for code in (302, 401, 408, 429, 500, 503, 504)),
        *((code, RefusedError) for code in (400, 403, 405, 413, 415, 422)),
    ],
)
async def test_fake_answer_that_is_no_status_is_an_error_by_its_code(
    fake_client: Client, fake: FakeApi, code: int, kind: type[ApiError]
) -> None:
    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text="<html>", headers={"Location": "/elsewhere"})

    fake.answer = odd
    with pytest.raises(kind, match=r"^<html>$"):
        await fake_client.get(CONFIG_MAPS, "a", "default")


async def test_fake_answer_that_is_no_json_is_no_answer(fake_client: Client, fake: FakeApi) -> None:
    async def odd(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="hello")

    fake.answer = odd
    with pytest.raises(UnavailableError):
        await fake_client.get(CONFIG_MAPS, "a", "default")


async def test_fake_rotated_token_is_read_again_after_401(fake: FakeApi, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")

    async def check(request: web.Request) -> web.StreamResponse:
        good = request.headers["Authorization"] == "Bearer new"
        return web.json_response({"message": "Unauthorized"}, status=200 if good else 401)

    fake.answer = check
    connection = Connection(fake.connection.server, fake.connection.ca_file, token_file=TokenFile(token))
    async with Client(connection) as client:
        with pytest.raises(UnavailableError, match="Unauthorized"):
            await client.get(CONFIG_MAPS, "a", "default")
        token.write_text("new\n")
        assert await client.get(CONFIG_MAPS, "a", "default")


async def test_fake_server_of_another_authority_gets_no_request(fake: FakeApi, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with FakeApi(tmp_path / "other") as other:
        reached: list[web.Request] = []

        async def note(request: web.Request) -> web.StreamResponse:
            reached.append(request)
            return web.json_response({})

        other.answer = note
        connection = Connection(other.connection.server, fake.connection.ca_file, static_token="secret")
        async with Client(connection) as client:
            with pytest.raises(UnavailableError, match="certificate"):
                await client.get(SECRETS, "a", "default")
        assert not reached


def test_server_without_tls_is_refused() -> None:
    with pytest.raises(ConnectionSettingsError, match="https"):
        Connection("http://127.0.0.1:8080", None)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../secrets/x", "a%2fb"])
async def test_t24_name_that_would_address_something_else_is_refused(fake_client: Client, name: str) -> None:
    with pytest.raises(RefusedError, match="can't be the name of an object"):
        await fake_client.get(CONFIG_MAPS, name, "default")
    with pytest.raises(RefusedError):
        await fake_client.delete(CONFIG_MAPS, name, "uid", "default")


async def test_namespaced_object_without_a_namespace_is_refused(fake_client: Client) -> None:
    with pytest.raises(RefusedError, match="needs a namespace"):
        await fake_client.get(CONFIG_MAPS, "a")


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_lines_are_whole_whatever_the_chunks() -> None:
    found = [line async for line in lines(_chunks(b'{"a"', b":1}\n\n{", b"}\n{}\n{} cut"))]
    assert found == [b'{"a":1}', b"{}", b"{}"]


async def test_line_without_end_is_an_error() -> None:
    with pytest.raises(LineTooLongError):
        [line async for line in lines(_chunks(b"x" * 10, b"x" * 10), limit=15)]


async def test_fake_server_whose_certificate_is_for_another_name_than_that_of_the_url(tmp_path: Path) -> None:
    async with FakeApi(tmp_path, "api.example.org") as fake:
        await fake.put("a", value="1")
        async with Client(fake.connection, timeout_seconds=60) as client:
            with pytest.raises(UnavailableError, match="certificate"):
                await client.list(CONFIG_MAPS, "default")
        connection = await from_kubeconfig(_kubeconfig(fake.connection, tmp_path, "api.example.org"))
        async with Client(connection, timeout_seconds=60) as client:
            found, version = await client.list(CONFIG_MAPS, "default")
            assert [one["metadata"]["name"] for one in found] == ["a"]
            stream = client.watch(CONFIG_MAPS, version)
            event = asyncio.ensure_future(anext(stream))
            await until(lambda: fake._streams)
            await fake.put("b", value="1")
            assert (await event)[0] == "ADDED"
            await stream.aclose()


def _kubeconfig(connection: Connection, folder: Path, server_name: str) -> Path:
    """As an administrator writes it who reaches the API server under an address that its certificate doesn't name."""
    cluster = {
        "server": connection.server,
        "certificate-authority": str(connection.ca_file),
        "tls-server-name": server_name,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": "fake"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(body))
    return path
