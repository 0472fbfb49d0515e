"""``daypass setup`` under its own ServiceAccount on a real API server: made once, kept, renewed, rotated (T61, T62)."""

import asyncio
import base64
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bed import Bed
from daypass.app.installation.configurations import Endpoint
from daypass.app.installation.setup import Setup, SetupError
from daypass.app.ports import Json, Objects, Resource
from daypass.kube.client import Client
from daypass.kube.connection import in_cluster
from daypass.signing.certificates import OwnCertificates
from daypass.signing.keys import Ed25519Keys

NAMESPACE = "daypass-system"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class At:
    """A clock that stands still."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment


class DyingError(Exception):
    """The process was killed here."""


class Mortal:
    """Makes ``writes`` writes and is killed at the next."""

    def __init__(self, objects: Objects, writes: int) -> None:
        self._objects = objects
        self._left = writes

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        return await self._objects.get(resource, name, namespace)

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        self._live()
        return await self._objects.create(resource, body, namespace)

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        raise NotImplementedError

    async def merge_patch(
        self, resource: Resource, name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        self._live()
        return await self._objects.merge_patch(resource, name, patch, namespace, subresource)

    async def delete(self, resource: Resource, name: str, uid: str, namespace: str = "") -> bool:
        raise NotImplementedError

    def _live(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise DyingError


@pytest.fixture(scope="module")
def bed(with_webhooks: Bed) -> Iterator[Bed]:
    """Afterwards everything is made anew, with today's dates."""
    yield with_webhooks
    forget(with_webhooks, "daypass-ca", "daypass-serving")
    with_webhooks.install()


@pytest.fixture
async def client(bed: Bed) -> AsyncIterator[Client]:
    folder = bed.endpoint.mount_service_account(NAMESPACE, "daypass-setup")
    async with Client(in_cluster(folder, bed.endpoint.server)) as opened:
        yield opened


def a_setup(bed: Bed, objects: Objects, now: datetime) -> Setup:
    endpoint = Endpoint(url=bed.webhook_url)
    return Setup(objects, OwnCertificates(), Ed25519Keys(), At(now), NAMESPACE, endpoint)


def forget(bed: Bed, *secrets: str) -> None:
    bed.kubectl("delete", "secret", *secrets, "-n", NAMESPACE, "--ignore-not-found")


def secret(bed: Bed, name: str) -> dict[str, bytes]:
    body = bed.get("secret", name, NAMESPACE)
    assert body is not None
    return {key: base64.b64decode(value) for key, value in body["data"].items()}


def public_keys(bed: Bed) -> dict[str, str]:
    body = bed.get("configmap", "daypass-signing-keys", NAMESPACE)
    assert body is not None
    return dict(body["data"])


def client_config(bed: Bed, kind: str = "mutating", name: str = "daypass-requests") -> Any:  # noqa: ANN401 - JSON
    body = bed.get(f"{kind}webhookconfiguration", name)
    assert body is not None
    return body["webhooks"][0]["clientConfig"]


def trusted(bed: Bed) -> bytes:
    bundle = base64.b64decode(client_config(bed)["caBundle"])
    validating = client_config(bed, "validating", "daypass-validation")["caBundle"]
    assert base64.b64decode(validating) == bundle
    return bundle


def authorities(bed: Bed) -> int:
    return trusted(bed).count(b"BEGIN CERTIFICATE")


def handshake(serving: dict[str, bytes], bundle: bytes, folder: Path) -> bool:
    """Whether a client with that trust, as the API server, accepts that certificate; both ends in memory."""
    (folder / "tls.crt").write_bytes(serving["tls.crt"])
    (folder / "tls.key").write_bytes(serving["tls.key"])
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    client_context = ssl.create_default_context(cadata=bundle.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname="127.0.0.1")
    server = server_context.wrap_bio(up, down, server_side=True)
    for side in itertools.islice(itertools.cycle((client, server)), 8):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError:
            return False
    return client.version() is not None


async def test_run_again_it_changes_nothing(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    before = {name: secret(bed, name) for name in ("daypass-ca", "daypass-serving", "daypass-signing")}
    assert await a_setup(bed, client, now).run() == []
    later = await a_setup(bed, client, now + 200 * DAY).run()
    assert [change for change in later if "filled in" not in change] == ["secret paths replaced"]
    assert {name: secret(bed, name) for name in before} == before


def paths(bed: Bed) -> dict[str, list[str]]:
    """The paths that the webhook takes calls at, the one in use first."""
    entries = secret(bed, "daypass-webhook-paths")
    return {kind: entries[kind].decode().split() for kind in ("mutating", "validating", "gates", "holds")}


def endpoints(bed: Bed) -> dict[str, Any]:
    """Where the controller has the configurations call that it computes from the gates."""
    body = bed.get("configmap", "daypass-gates-endpoint", NAMESPACE)
    assert body is not None
    return {kind: json.loads(entry) for kind, entry in body["data"].items()}


def used(bed: Bed) -> dict[str, str]:
    configurations = {"mutating": "daypass-requests", "validating": "daypass-validation"}
    urls = {kind: client_config(bed, kind, name)["url"] for kind, name in configurations.items()}
    urls |= {kind: config["url"] for kind, config in endpoints(bed).items()}
    assert all(url.startswith(f"{bed.webhook_url}/") for url in urls.values())
    return {kind: url.rpartition("/")[2] for kind, url in urls.items()}


async def test_t52_paths_are_256_random_bits_each(bed: Bed, client: Client) -> None:
    await a_setup(bed, client, datetime.now(UTC)).run()
    known = [path for lines in paths(bed).values() for path in lines]
    assert len(set(known)) >= 8
    assert all(len(bytes.fromhex(path)) == 32 for path in known)
    assert used(bed) == {kind: lines[0] for kind, lines in paths(bed).items()}


async def test_t52_paths_are_replaced_by_ones_that_the_webhook_knew_before(bed: Bed, client: Client) -> None:
    """The API server tells every caller the URL of a webhook that it can't reach, so no path is secret for long."""
    forget(bed, "daypass-webhook-paths")
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    before = paths(bed)
    await a_setup(bed, client, now + timedelta(minutes=59)).run()
    assert paths(bed) == before
    await a_setup(bed, client, now + timedelta(minutes=61)).run()
    after = paths(bed)
    assert {kind: lines[0] for kind, lines in after.items()} == {kind: lines[1] for kind, lines in before.items()}
    assert used(bed) == {kind: lines[0] for kind, lines in after.items()}
    left = {path for lines in after.values() for path in lines}
    assert not {before[kind][0] for kind in ("mutating", "validating")} & left
    # The controller follows when it can: meanwhile what the gates call must be answered.
    assert [after[kind][2:] for kind in ("gates", "holds")] == [[before[kind][0]] for kind in ("gates", "holds")]
    await a_setup(bed, client, now + timedelta(minutes=62)).run(rotate_paths=True)
    assert used(bed) == {kind: lines[1] for kind, lines in after.items()}


async def test_t52_paths_of_the_gates_are_forgotten_at_the_second_replacement(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    before = paths(bed)
    for _ in range(2):
        await a_setup(bed, client, now).run(rotate_paths=True)
    assert not {before[kind][0] for kind in ("gates", "holds")} & {p for lines in paths(bed).values() for p in lines}


async def test_paths_of_the_gates_are_added_to_a_secret_of_an_earlier_version(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    before = paths(bed)
    gone = {"data": {"gates": None, "holds": None}}
    bed.request("PATCH", f"/api/v1/namespaces/{NAMESPACE}/secrets/daypass-webhook-paths", gone)
    bed.kubectl("delete", "configmap", "daypass-gates-endpoint", "-n", NAMESPACE)
    changes = await a_setup(bed, client, now + 2 * DAY).run()
    assert changes == ["secret paths made", "ConfigMap daypass-gates-endpoint filled in"]
    after = paths(bed)
    assert {kind: after[kind] for kind in ("mutating", "validating")} == {
        kind: before[kind] for kind in ("mutating", "validating")
    }
    assert [len(after[kind]) for kind in ("gates", "holds")] == [2, 2]
    assert used(bed) == {kind: lines[0] for kind, lines in after.items()}


async def test_the_gates_are_told_the_trust_that_the_others_have(bed: Bed, client: Client) -> None:
    forget(bed, "daypass-ca")
    await a_setup(bed, client, datetime.now(UTC)).run()
    assert [base64.b64decode(config["caBundle"]) for config in endpoints(bed).values()] == [trusted(bed)] * 2


@pytest.mark.parametrize("writes", range(4))
async def test_t52_killed_while_it_replaces_paths_the_webhook_knows_those_in_use(
    bed: Bed, client: Client, writes: int
) -> None:
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    with pytest.raises(DyingError):
        await a_setup(bed, Mortal(client, writes), now).run(rotate_paths=True)
    assert all(path in paths(bed)[kind] for kind, path in used(bed).items())
    await a_setup(bed, client, now).run()
    assert used(bed) == {kind: lines[0] for kind, lines in paths(bed).items()}


async def test_t62_serving_certificates_are_renewed_ahead_of_their_end(
    bed: Bed, client: Client, tmp_path: Path
) -> None:
    forget(bed, "daypass-ca", "daypass-serving")
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    first = secret(bed, "daypass-serving")
    assert handshake(first, trusted(bed), tmp_path)
    changes = await a_setup(bed, client, now + 246 * DAY).run()
    assert [change for change in changes if "serving certificate" in change]
    second = secret(bed, "daypass-serving")
    assert second["tls.crt"] != first["tls.crt"]
    assert second["ca.crt"] == first["ca.crt"] == trusted(bed)


async def test_t62_both_authorities_are_trusted_during_a_change(bed: Bed, client: Client, tmp_path: Path) -> None:
    forget(bed, "daypass-ca", "daypass-serving")
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    old = secret(bed, "daypass-serving")
    forget(bed, "daypass-ca")  # as after a leak; near its end it is made anew in the same way
    await a_setup(bed, client, now).run()
    new = secret(bed, "daypass-serving")
    assert authorities(bed) == 2
    assert handshake(old, trusted(bed), tmp_path)
    assert handshake(new, trusted(bed), tmp_path)
    assert authorities(bed) == 2
    await a_setup(bed, client, now + DAY / 2).run()
    assert authorities(bed) == 2
    await a_setup(bed, client, now + 2 * DAY).run()
    assert authorities(bed) == 1
    assert handshake(new, trusted(bed), tmp_path)
    assert not handshake(old, trusted(bed), tmp_path)


async def test_t62_an_authority_near_its_end_is_replaced(bed: Bed, client: Client) -> None:
    forget(bed, "daypass-ca", "daypass-serving")
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    changes = await a_setup(bed, client, now + 3000 * DAY).run()
    assert "certificate authority made" in changes
    assert authorities(bed) == 2
    forget(bed, "daypass-ca", "daypass-serving")
    await a_setup(bed, client, now).run()


@pytest.mark.parametrize("writes", range(7))
async def test_t62_killed_between_any_two_writes_it_leaves_what_serves(
    bed: Bed, client: Client, tmp_path: Path, writes: int
) -> None:
    """Certificates and keys at every point: what is served is trusted, what signs is published."""
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    forget(bed, "daypass-ca")
    with pytest.raises(DyingError):
        await a_setup(bed, Mortal(client, writes), now).run(rotate_signing_key=True)
    assert handshake(secret(bed, "daypass-serving"), base64.b64decode(client_config(bed)["caBundle"]), tmp_path)
    assert secret(bed, "daypass-signing")["active"].decode() in public_keys(bed)
    await a_setup(bed, client, now).run()
    assert handshake(secret(bed, "daypass-serving"), trusted(bed), tmp_path)
    assert await a_setup(bed, client, now).run() == []


@pytest.mark.parametrize("writes", range(8))
async def test_killed_during_the_first_run_it_is_finished_by_the_next(bed: Bed, client: Client, writes: int) -> None:
    forget(bed, "daypass-ca", "daypass-serving", "daypass-signing", "daypass-webhook-paths")
    now = datetime.now(UTC)
    with pytest.raises(DyingError):
        await a_setup(bed, Mortal(client, writes), now).run()
    await a_setup(bed, client, now).run()
    assert await a_setup(bed, client, now).run() == []


async def test_t61_rotation_keeps_earlier_public_keys(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    await a_setup(bed, client, now).run()
    earlier = public_keys(bed)
    first = secret(bed, "daypass-signing")["active"].decode()
    await a_setup(bed, client, now).run(rotate_signing_key=True)
    second = secret(bed, "daypass-signing")
    assert second["active"].decode() != first
    assert set(second) == {"active", f"{second['active'].decode()}.pem"}
    assert earlier.items() <= public_keys(bed).items()
    assert second["active"].decode() in public_keys(bed)


async def test_t61_a_lost_key_is_replaced_and_its_reviews_stay_verifiable(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    lost = secret(bed, "daypass-signing")["active"].decode()
    forget(bed, "daypass-signing")
    await a_setup(bed, client, now).run()
    assert secret(bed, "daypass-signing")["active"].decode() != lost
    assert lost in public_keys(bed)


async def test_t61_an_unusable_key_is_never_thrown_away(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    kept = bed.get("secret", "daypass-signing", NAMESPACE)
    assert kept is not None
    broken = {"data": {"active": base64.b64encode(b"0123456789abcdef").decode()}}
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/daypass-signing"
    bed.request("PATCH", path, broken)
    with pytest.raises(SetupError, match="Secret daypass-signing can't be used"):
        await a_setup(bed, client, now).run()
    assert secret(bed, "daypass-signing")["active"] == b"0123456789abcdef"
    bed.request("PATCH", path, {"data": kept["data"]})


async def test_several_at_once_agree(bed: Bed, client: Client, tmp_path: Path) -> None:
    forget(bed, "daypass-ca", "daypass-serving", "daypass-signing", "daypass-webhook-paths")
    now = datetime.now(UTC)
    await asyncio.gather(*(a_setup(bed, client, now).run() for _ in range(5)))
    assert handshake(secret(bed, "daypass-serving"), trusted(bed), tmp_path)
    assert secret(bed, "daypass-signing")["active"].decode() in public_keys(bed)
    assert await a_setup(bed, client, now).run() == []


async def test_it_says_what_to_do_where_it_cant_go_on(bed: Bed, client: Client) -> None:
    now = datetime.now(UTC)
    wrong: list[tuple[Endpoint, str]] = [
        (Endpoint(service="daypass-webhook"), "rendered for a URL; run setup with --url"),
        (Endpoint(url="http://127.0.0.1:1"), "https://HOST:PORT"),
    ]
    for endpoint, says in wrong:
        setup = Setup(client, OwnCertificates(), Ed25519Keys(), At(now), NAMESPACE, endpoint)
        with pytest.raises(SetupError, match=says):
            await setup.run()
    bed.kubectl("delete", "mutatingwebhookconfiguration", "daypass-requests")
    with pytest.raises(SetupError, match="install the chart first"):
        await a_setup(bed, client, now).run()
    bed.install()


async def test_what_it_prints_holds_no_secret(bed: Bed, client: Client) -> None:
    forget(bed, "daypass-ca", "daypass-serving", "daypass-signing", "daypass-webhook-paths")
    printed = "\n".join(await a_setup(bed, client, datetime.now(UTC)).run())
    assert "certificate authority made" in printed
    assert not [path for lines in paths(bed).values() for path in lines if path in printed]
    assert "PRIVATE" not in printed
