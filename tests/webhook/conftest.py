"""A webhook on loopback for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import trustme

from daypass.webhook.files import Mounts
from daypass.webhook.process import serving
from webhook.desk import Cluster, Desk, Folders, a_listener, trusting


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def folders(tmp_path: Path, authority: trustme.CA) -> Folders:
    return Folders(tmp_path, authority)


@pytest.fixture
async def desk(folders: Folders, authority: trustme.CA) -> AsyncIterator[Desk]:
    mounts = Mounts(folders.serving, folders.signing, folders.paths)
    mounts.refresh()
    cluster = Cluster(published=folders.published)
    listener = a_listener(mounts, cluster)
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    async with (
        serving(listener, mounts, "127.0.0.1", 0) as address,
        aiohttp.ClientSession(connector=connector) as client,
    ):
        yield Desk(address, client, listener, mounts, folders, cluster)
