"""The caches of everything but requests and policies, and whom a change in them concerns."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

from daypass.api.convert import role_from
from daypass.app.fresh_reads import FreshRead
from daypass.app.grants import manifests
from daypass.app.grants.found import FoundObject, Grants
from daypass.app.holds.pods import HeldPods, held_pod_from
from daypass.app.policies.known import Policies
from daypass.app.ports import CLUSTER_ROLES, JOBS, NAMESPACES, PODS, ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS, Json
from daypass.domain import names
from daypass.domain.permissions import ResolvedRole, RoleReference
from daypass.domain.policy import Policy
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from daypass.observe import metrics
from daypass.signing.canonical import canonical_json

NAMES: Final = (
    "jobs", "rolebindings", "grantroles", "roles", "clusterroles", "namespaces", "serviceaccounts", "heldpods"
)  # fmt: skip
"""How metrics call them; roles of grants are watched apart from all others, and of pods only those that are held."""
HELD: Final = f"{names.LABEL_HELD}=true"

RoleChanged = Callable[[RoleReference, str], None]
NameChanged = Callable[[str], None]


class Watches:
    """Implements ``app.surroundings.Known``."""

    def __init__(
        self,
        client: Client,
        grants: Grants,
        policies: Policies,
        pods: HeldPods,
        *,
        role_changed: RoleChanged,
        namespace_changed: NameChanged,
        account_changed: NameChanged,
    ) -> None:
        """The callbacks hear a role with its namespace, a namespace, and ``namespace/name`` of a ServiceAccount."""
        self._client, self._policies = client, policies
        self._readings: WeakValueDictionary[str, FreshRead[ResolvedRole | None]] = WeakValueDictionary()

        def heard(_key: str, old: FoundObject | None, new: FoundObject | None) -> None:
            grants.heard(old, new)

        def role(key: str, _old: ResolvedRole | None, _new: ResolvedRole | None) -> None:
            namespace, _, name = key.rpartition("/")
            role_changed(RoleReference("Role" if namespace else "ClusterRole", name), namespace)

        def labels(key: str, _old: Mapping[str, str] | None, _new: Mapping[str, str] | None) -> None:
            namespace_changed(key)

        def account(key: str, old: str | None, _new: str | None) -> None:
            if old is not None:
                account_changed(key)

        label = names.LABEL_REQUEST_UID
        self.chain: tuple[Cache[Any], ...] = (
            Cache(client, JOBS, keep=manifests.job_from, changed=heard, label_selector=label),
            Cache(client, ROLE_BINDINGS, keep=manifests.binding_from, changed=heard, label_selector=label),
            Cache(client, ROLES, keep=manifests.role_from, changed=heard, label_selector=label),
        )
        self._roles = Cache(client, ROLES, keep=role_from, changed=role, label_selector=f"!{label}")
        self._cluster_roles = Cache(client, CLUSTER_ROLES, keep=role_from, changed=role)
        self._namespaces = Cache(client, NAMESPACES, keep=_labels, changed=labels)
        self._accounts = Cache(client, SERVICE_ACCOUNTS, keep=_uid, changed=account)
        self._held = Cache(
            client,
            PODS,
            keep=partial(held_pod_from, canonical=canonical_json),
            changed=lambda _key, old, new: pods.heard(old, new),
            label_selector=HELD,
        )
        self.world: tuple[Cache[Any], ...] = (self._roles, self._cluster_roles, self._namespaces, self._accounts)
        # Nothing that is granted waits for held pods to be known.
        self.all: tuple[Cache[Any], ...] = (*self.chain, *self.world, self._held)
        for at, name in enumerate(NAMES):
            _follow(name, self.all[at])

    def policies(self) -> Sequence[Policy]:
        """As ``Known.policies``."""
        return self._policies.readable()

    def policy_faults(self) -> Mapping[str, str]:
        """As ``Known.policy_faults``."""
        return self._policies.unreadable

    def role(self, namespace: str, role: RoleReference) -> ResolvedRole | None:
        """As ``Known.role``."""
        if role.kind == CLUSTER_ROLES.kind:
            return self._cluster_roles.get("", role.name)
        return self._roles.get(namespace, role.name)

    async def role_now(self, namespace: str, role: RoleReference) -> ResolvedRole | None:
        """As ``Known.role_now``."""
        place = "" if role.kind == CLUSTER_ROLES.kind else namespace
        key = f"{place}/{role.name}"
        reading = self._readings.get(key)
        if reading is None:
            reading = self._readings[key] = FreshRead(partial(self._read_role, place, role.name))
        return await reading()

    def service_account_uid(self, namespace: str, name: str) -> str:
        """As ``Known.service_account_uid``."""
        return self._accounts.get(namespace, name) or ""

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """As ``Known.namespace_labels``."""
        return self._namespaces.get("", namespace)

    async def _read_role(self, namespace: str, name: str) -> ResolvedRole | None:
        body = await self._client.get(ROLES if namespace else CLUSTER_ROLES, name, namespace)
        return None if body is None else role_from(body)

    async def chain_synced(self) -> None:
        """Wait until every object of every grant is known."""
        await asyncio.gather(*(cache.synced.wait() for cache in self.chain))

    async def world_synced(self) -> None:
        """Wait until the rest is known too."""
        await asyncio.gather(*(cache.synced.wait() for cache in self.world))


def _follow(name: str, cache: Cache[Any]) -> None:
    metrics.follow_cache(name, cache.__len__, cache.faults.__len__, cache.silent_seconds)


def _labels(body: Json) -> dict[str, str]:
    return dict(body["metadata"].get("labels") or {})


def _uid(body: Json) -> str:
    return str(body["metadata"]["uid"])
