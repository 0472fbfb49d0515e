"""How much ServiceAccounts may do, out of RBAC's own objects (T44): the risk of each role, and who holds which."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from daypass.api import convert
from daypass.app.ports import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES, Json
from daypass.domain import names
from daypass.domain.policy import RiskLevel
from daypass.domain.risk import Risk, assess
from daypass.kube.cache import Cache
from daypass.kube.client import Client

REMEMBERED: Final = 4_096
NONE: Final = Risk(RiskLevel.LOW)
UNREADABLE: Final = Risk(RiskLevel.CRITICAL, ("can't be read",))


@dataclass(frozen=True, slots=True)
class _Binding:
    """What is kept of a binding: its role, and those of its subjects that are or hold ServiceAccounts."""

    role: str
    """``NAMESPACE/NAME`` of a Role, ``NAME`` of a ClusterRole."""
    holders: frozenset[str]
    """Usernames, and groups behind a slash, which no username of a ServiceAccount has."""


class AccountPower:
    """The risk of all that a ServiceAccount may do anywhere, by itself or as a member of a group.

    Rule: the gravest role that a binding of any namespace gives it, judged as grants are. A role that can't be read
    counts as Critical, one that does not exist gives nothing. From High on it is said which binding gives the role,
    and which of its rules is the gravest. Watched only once a gate wants it: RBAC's objects are many.
    """

    def __init__(self, client: Client) -> None:
        self._holdings: dict[str, dict[str, str]] = {}
        self._remembered: dict[str, Risk] = {}
        self._wanted = asyncio.Event()
        self._roles = Cache(client, ROLES, keep=_risk, changed=self._role_changed)
        self._cluster_roles = Cache(client, CLUSTER_ROLES, keep=_risk, changed=self._role_changed)
        self._bindings = Cache(client, ROLE_BINDINGS, keep=_binding, changed=self.binding_changed)
        self._cluster_bindings = Cache(client, CLUSTER_ROLE_BINDINGS, keep=_binding, changed=self.binding_changed)

    @property
    def caches(self) -> tuple[Cache[Any], ...]:
        """All of them, followed or not."""
        return (self._roles, self._cluster_roles, self._bindings, self._cluster_bindings)

    @property
    def wanted(self) -> bool:
        """Whether some gate asks."""
        return self._wanted.is_set()

    def want(self) -> None:
        """Begin to watch, and never stop again."""
        self._wanted.set()

    async def follow(self) -> None:
        """Watch for ever, once wanted."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as tasks:
            for cache in self.caches:
                tasks.create_task(cache.run())

    def of(self, namespace: str, name: str) -> Risk | None:
        """How much that ServiceAccount may do; None while not all was listed, is heard of, and can be read."""
        for cache in self.caches:  # a plain loop: every pod asks where some gate does
            if not cache.synced.is_set() or cache.deaf:
                # Fail closed: for who asks, not known is never little.
                return None
        if self._bindings.faults or self._cluster_bindings.faults:
            return None
        username = names.service_account_username(namespace, name)
        if self._roles.faults or self._cluster_roles.faults:
            return self._gravest(username, namespace)  # a role that was never readable is no change that is told
        known = self._remembered.get(username)
        if known is None:
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            known = self._remembered[username] = self._gravest(username, namespace)
        return known

    def _gravest(self, username: str, namespace: str) -> Risk:
        holders = (username, *(f"/{group}" for group in names.account_groups(namespace)))
        held = (
            (*pair, self._of_role(pair[1])) for holder in holders for pair in self._holdings.get(holder, {}).items()
        )
        binding, role, risk = max(held, key=lambda one: (one[2].level, one[0]), default=("", "", NONE))
        by = f"{_called(binding, 'Binding')} gives {_called(role)}"
        return Risk(risk.level, tuple(f"{by}, which {finding}" for finding in risk.findings))

    def _of_role(self, role: str) -> Risk:
        namespace, _, name = role.rpartition("/")
        cache = self._roles if namespace else self._cluster_roles
        if role in cache.faults:
            # Fail closed: what a role gives that can't be read is not known.
            return UNREADABLE
        return cache.get(namespace, name) or NONE

    def binding_changed(self, key: str, old: _Binding | None, new: _Binding | None) -> None:
        """Keep who holds what; a RoleBinding and a ClusterRoleBinding never have the same key."""
        self._remembered.clear()
        for holder in old.holders if old else ():
            held = self._holdings.get(holder, {})
            held.pop(key, None)
            if not held:
                self._holdings.pop(holder, None)
        if new is not None:
            for holder in new.holders:
                self._holdings.setdefault(holder, {})[key] = new.role

    def _role_changed(self, _key: str, _old: Risk | None, _new: Risk | None) -> None:
        self._remembered.clear()


def _risk(body: Json) -> Risk:
    """Of a role: with the gravest of what it allows, where somebody asks for that."""
    found = assess(convert.role_from(body).rules)
    return Risk(found.level, found.findings[:1] if found.level >= RiskLevel.HIGH else ())


def _called(key: str, what: str = "") -> str:
    """A binding or a role of RBAC, as kubectl would find it."""
    return f"Role{what} {key}" if "/" in key else f"ClusterRole{what} {key}"


def _binding(body: Json) -> _Binding | None:
    """None for one that no ServiceAccount holds anything by; raises where it can't be read."""
    namespace = body["metadata"].get("namespace", "")
    found = (_holder(subject, namespace) for subject in body.get("subjects") or ())
    holders = frozenset(holder for holder in found if holder)
    if not holders:
        return None
    reference = body["roleRef"]
    in_namespace = reference["kind"] == ROLES.kind
    return _Binding(f"{namespace}/{reference['name']}" if in_namespace else reference["name"], holders)


def _holder(subject: Mapping[str, Any], namespace: str) -> str:
    kind, name = subject["kind"], subject["name"]
    if kind == "ServiceAccount":
        return names.service_account_username(subject.get("namespace") or namespace, name)
    if kind == "User":
        return name if name.startswith(names.SERVICE_ACCOUNT_PREFIX) else ""
    of_accounts = name in {names.AUTHENTICATED, names.ALL_ACCOUNTS} or name.startswith(f"{names.ALL_ACCOUNTS}:")
    return f"/{name}" if of_accounts else ""
