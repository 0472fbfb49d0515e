"""Keys, certificate and paths are taken anew while the webhook serves (T61, T62)."""

import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme

from builders import NOON, a_person
from daypass.domain.review import Review, ReviewDecision
from daypass.signing.reviews import ReviewVerifier
from daypass.webhook.files import Mounts
from daypass.webhook.process import serving
from webhook.desk import Cluster, Desk, Folders, a_listener, a_manifest, a_review, trusting

GOOD = a_review("CREATE", new=a_manifest())


def a_vote() -> Review:
    return Review(1, "uid-1", "ab" * 32, ReviewDecision.APPROVE, a_person("bob"), NOON, key_id="", signature="")


async def test_t62_a_renewed_certificate_is_served_to_new_connections(desk: Desk) -> None:
    assert (await desk.mutate(GOOD))["allowed"]
    renewed = trustme.CA()
    desk.folders.certify(renewed)
    desk.mounts.refresh()
    assert (await desk.mutate(GOOD))["allowed"]  # over the connection that is open
    connector = aiohttp.TCPConnector(ssl=trusting(renewed))
    url = f"https://{desk.address}{desk.mounts.paths.mutating[0]}"
    async with aiohttp.ClientSession(connector=connector) as client, client.post(url, json=GOOD) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("broken", ["tls.crt", "tls.key"])
async def test_t62_half_a_certificate_leaves_the_old_one_in_use(desk: Desk, authority: trustme.CA, broken: str) -> None:
    before = desk.mounts.certificate.not_after
    (desk.folders.serving / broken).write_bytes(b"not a certificate")
    desk.mounts.refresh()
    assert desk.mounts.certificate.not_after == before
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    url = f"https://{desk.address}{desk.mounts.paths.mutating[0]}"
    async with aiohttp.ClientSession(connector=connector) as client, client.post(url, json=GOOD) as answer:
        assert answer.status == 200


async def test_t62_a_key_of_another_certificate_leaves_the_old_one_in_use(desk: Desk, authority: trustme.CA) -> None:
    other = authority.issue_cert("127.0.0.1").private_key_pem.bytes()
    (desk.folders.serving / "tls.key").write_bytes(other)
    desk.mounts.refresh()
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    url = f"https://{desk.address}{desk.mounts.paths.mutating[0]}"
    async with aiohttp.ClientSession(connector=connector) as client, client.post(url, json=GOOD) as answer:
        assert answer.status == 200


async def test_new_paths_take_the_place_of_the_old(desk: Desk) -> None:
    desk.folders.rename("c" * 64, "d" * 64)
    desk.mounts.refresh()
    assert (await desk.post("/" + "a" * 64, GOOD))[0] == 404
    assert (await desk.post("/" + "c" * 64, GOOD))[0] == 200


async def test_t52_paths_are_replaced_without_an_outage(desk: Desk) -> None:
    desk.folders.rename("c" * 64 + "\n" + "a" * 64, "d" * 64 + "\n" + "b" * 64)
    desk.mounts.refresh()
    for path in ("a", "c"):
        assert (await desk.post("/" + path * 64, GOOD))[0] == 200


@pytest.mark.parametrize(("first", "second"), [("", "d" * 64), ("c" * 63, "d" * 64), ("c" * 64, "c" * 64)])
def test_t52_paths_that_are_too_easy_are_not_used(folders: Folders, first: str, second: str) -> None:
    folders.rename(first, second)
    mounts = Mounts(folders.serving, folders.signing, folders.paths)
    mounts.refresh()
    assert not mounts.paths.loaded
    assert not mounts.loaded


async def test_t52_without_paths_nothing_is_found(folders: Folders, authority: trustme.CA) -> None:
    folders.rename("", "")
    mounts = Mounts(folders.serving, folders.signing, folders.paths)
    mounts.refresh()
    connector = aiohttp.TCPConnector(ssl=trusting(authority))
    async with (
        serving(a_listener(mounts, Cluster()), mounts, "127.0.0.1", 0) as address,
        aiohttp.ClientSession(connector=connector) as client,
        client.post(f"https://{address}/", json=GOOD) as answer,
    ):
        assert answer.status == 404


def test_t61_a_new_key_signs_once_it_is_there(folders: Folders) -> None:
    mounts = Mounts(folders.serving, folders.signing, folders.paths)
    mounts.refresh()
    old = mounts.keys.sign(a_vote())
    key_id = folders.rotate()
    assert mounts.keys.sign(a_vote()) == old
    mounts.refresh()
    new = mounts.keys.sign(a_vote())
    assert new.key_id == key_id != old.key_id
    assert ReviewVerifier(folders.published).genuine(new)
    assert ReviewVerifier(folders.published).genuine(old)


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    mounts = Mounts(tmp_path, tmp_path, tmp_path)
    mounts.refresh()
    assert not mounts.loaded
    with pytest.raises(ValueError, match="no signing key yet"):
        mounts.keys.sign(a_vote())


def test_folders_that_are_not_there_are_waited_for(tmp_path: Path, authority: trustme.CA) -> None:
    root = tmp_path / "later"
    mounts = Mounts(root / "serving", root / "signing", root / "paths")
    mounts.refresh()
    assert not mounts.loaded
    root.mkdir()
    Folders(root, authority)
    mounts.refresh()
    assert mounts.loaded


async def test_t52_with_a_client_authority_only_its_clients_are_heard(
    folders: Folders, authority: trustme.CA, tmp_path: Path
) -> None:
    clients = trustme.CA()
    client_ca = tmp_path / "clients.pem"
    clients.cert_pem.write_to_path(client_ca)
    mounts = Mounts(folders.serving, folders.signing, folders.paths, client_ca)
    mounts.refresh()
    api_server = trusting(authority)
    clients.issue_cert("kube-apiserver").configure_cert(api_server)
    async with serving(a_listener(mounts, Cluster()), mounts, "127.0.0.1", 0) as address:
        url = f"https://{address}{mounts.paths.mutating[0]}"
        connector = aiohttp.TCPConnector(ssl=api_server)
        async with aiohttp.ClientSession(connector=connector) as client, client.post(url, json=GOOD) as answer:
            assert answer.status == 200
        stranger: ssl.SSLContext = trusting(authority)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=stranger)) as client:
            with pytest.raises(aiohttp.ClientError):
                await client.post(url, json=GOOD)
