"""Clients of the real API server and of the fake one."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bed import Bed
from daypass.kube.client import Client
from daypass.kube.connection import Connection
from kube.fake import FakeApi


def connection_of(bed: Bed, user: str) -> Connection:
    """As a user of the bed."""
    credentials, plane = bed.credentials(user), bed.control_plane
    pair = credentials.certificate
    return Connection(
        plane.server,
        plane.authority_file,
        static_token=credentials.token,
        client_certificate=pair.certificate if pair else None,
        client_key=pair.key if pair else None,
    )


@pytest.fixture
def connect(control_plane: Bed) -> Callable[[str], Connection]:
    return lambda user: connection_of(control_plane, user)


@pytest.fixture
async def client(connect: Callable[[str], Connection]) -> AsyncIterator[Client]:
    async with Client(connect("admin")) as opened:
        yield opened


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeApi]:
    async with FakeApi(tmp_path) as server:
        yield server


@pytest.fixture
async def fake_client(fake: FakeApi) -> AsyncIterator[Client]:
    async with Client(fake.connection) as opened:
        yield opened
