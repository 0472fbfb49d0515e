"""Make keys, certificates and secret paths, and fill in the webhook configurations: once at install, then to renew.

Run again it keeps what is there and changes only what is missing or near its end. It may die between any two of its
writes: each step is idempotent, and their order keeps calls working throughout. Public keys are published before
a private key signs; a new authority is trusted before a certificate of it is served (T62); a path is known to the
webhook before it is called (T52).
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from daypass.app.installation.certificates import (
    Certificates,
    KeyPair,
    authority_is_good,
    serving_is_good,
    trusted_bundle,
)
from daypass.app.installation.configurations import Endpoint, filled
from daypass.app.installation.keyrings import SigningKeys, keyring
from daypass.app.installation.paths import FOLLOWED, plan_paths
from daypass.app.installation.stored import publish, read_secret, write_secret
from daypass.app.ports import AlreadyExistsError, Clock, ConflictError, Objects, Resource
from daypass.domain import names

AUTHORITY_SECRET: Final = "daypass-ca"  # noqa: S105 - the name of a Secret, not a secret
MUTATING = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
VALIDATING = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
PATH_BYTES: Final = 32
"""256 random bits: who does not know a path gets 404 (T52)."""
ATTEMPTS: Final = 20
"""A conflict means that somebody else has written, and a whole setup from nothing is eight writes: this many conflicts
are not other setups that bring about the same."""
PATHS_REPLACED: Final = "secret paths replaced"


class SetupError(Exception):
    """Setup can't go on; the text says what a person should do."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What to set up, and with what."""

    objects: Objects
    certificates: Certificates
    signing_keys: SigningKeys
    clock: Clock
    namespace: str
    endpoint: Endpoint
    changes: list[str] = field(default_factory=list)
    """What was done, for people; never a secret."""

    async def run(self, *, rotate_signing_key: bool = False, rotate_paths: bool = False) -> list[str]:
        """Bring everything to the wanted state; returns what was changed.

        Raises SetupError when a person must act, ApiError when the API server does not do it. When another setup
        runs at the same time, what it wrote is read again.
        """
        rotated = False
        for _ in range(ATTEMPTS):
            try:
                if not rotated:
                    await self._signing(rotate=rotate_signing_key)
                    rotated = True
                await self._serving(rotate_paths=rotate_paths and PATHS_REPLACED not in self.changes)
            except (AlreadyExistsError, ConflictError):
                continue
            return self.changes
        msg = "something keeps changing the same Secrets or configurations: find what it is in the audit log, and try again"
        raise SetupError(msg)

    async def _signing(self, *, rotate: bool) -> None:
        stored = await read_secret(self.objects, names.SIGNING_SECRET, self.namespace)
        try:
            ring = keyring(self.signing_keys, stored.entries, rotate=rotate)
        except ValueError as error:
            msg = (
                f"Secret {names.SIGNING_SECRET} can't be used: {error}. Restore it, or delete it and run setup again:"
                " reviews by the lost key stay valid, for its public key is published"
            )
            raise SetupError(msg) from error
        if await publish(self.objects, names.PUBLIC_KEYS_CONFIG_MAP, ring.public_keys, self.namespace):
            self.changes.append(f"public key {', '.join(ring.public_keys)} published")
        if await write_secret(self.objects, stored, ring.entries, self.namespace):
            self.changes.append(f"signing key {', '.join(ring.public_keys)} active")

    async def _serving(self, *, rotate_paths: bool) -> None:
        hosts = self._hosts()
        authority = await self._authority()
        now = self.clock.now()
        serving = await read_secret(self.objects, names.SERVING_SECRET, self.namespace)
        pair = KeyPair(serving.entries.get("tls.crt", b""), serving.entries.get("tls.key", b""))
        earlier = serving.entries.get("ca.crt", b"")
        bundle = trusted_bundle(self.certificates, authority, earlier, pair.certificate, now)
        await self._configurations(bundle, rotate_paths=rotate_paths)
        if not serving_is_good(self.certificates, pair, authority, hosts, now):
            pair = self.certificates.issue(authority, hosts, now)
        wanted = {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": bundle}
        if await write_secret(self.objects, serving, wanted, self.namespace):
            until = self.certificates.read(pair.certificate).valid_until
            self.changes.append(f"serving certificate for {', '.join(hosts)} until {until:%Y-%m-%d}")

    async def _configurations(self, bundle: bytes, *, rotate_paths: bool) -> None:
        stored = await read_secret(self.objects, names.PATHS_SECRET, self.namespace)
        plan = plan_paths(stored.entries, self.clock.now(), _path, at_once=rotate_paths)
        if not plan.replaces and await write_secret(self.objects, stored, plan.entries, self.namespace):
            self.changes.append("secret paths made")
        await self._fill(MUTATING, names.MUTATING_CONFIGURATION, plan.used["mutating"], bundle)
        await self._fill(VALIDATING, names.VALIDATING_CONFIGURATION, plan.used["validating"], bundle)
        await self._publish_endpoint({kind: plan.used[kind] for kind in FOLLOWED}, bundle)
        if plan.replaces and await write_secret(self.objects, stored, plan.entries, self.namespace):
            self.changes.append(PATHS_REPLACED)

    async def _publish_endpoint(self, paths: Mapping[str, str], bundle: bytes) -> None:
        """Tell the controller where the configurations that it computes shall call."""
        configs = {kind: self.endpoint.client_config(self.namespace, path, bundle) for kind, path in paths.items()}
        entries = {kind: json.dumps(config, sort_keys=True).encode() for kind, config in configs.items()}
        if await publish(self.objects, names.GATES_ENDPOINT_CONFIG_MAP, entries, self.namespace):
            self.changes.append(f"ConfigMap {names.GATES_ENDPOINT_CONFIG_MAP} filled in")

    def _hosts(self) -> tuple[str, ...]:
        try:
            return self.endpoint.hosts(self.namespace)
        except ValueError as error:
            raise SetupError(str(error)) from error

    async def _authority(self) -> KeyPair:
        stored = await read_secret(self.objects, AUTHORITY_SECRET, self.namespace)
        now = self.clock.now()
        pair = KeyPair(stored.entries.get("ca.crt", b""), stored.entries.get("ca.key", b""))
        if not authority_is_good(self.certificates, pair, now):
            pair = self.certificates.found(now)
            await write_secret(self.objects, stored, {"ca.crt": pair.certificate, "ca.key": pair.key}, self.namespace)
            self.changes.append("certificate authority made")
        return pair

    async def _fill(self, resource: Resource, name: str, path: str, bundle: bytes) -> None:
        configuration = await self.objects.get(resource, name)
        if configuration is None:
            msg = f"there is no {resource.kind} {name}: install the chart first"
            raise SetupError(msg)
        try:
            webhooks = filled(configuration, self.endpoint, path, bundle)
        except ValueError as error:
            msg = f"{resource.kind} {name}: {error}"
            raise SetupError(msg) from error
        if webhooks == configuration.get("webhooks"):
            return
        # A merge patch replaces the list, so it carries the version that was read.
        version = configuration["metadata"]["resourceVersion"]
        await self.objects.merge_patch(resource, name, {"metadata": {"resourceVersion": version}, "webhooks": webhooks})
        self.changes.append(f"{resource.kind} {name} filled in")


def _path() -> str:
    return secrets.token_hex(PATH_BYTES)
