"""A fake API server in memory and a controller's use cases on it, for moments that the real one can't be made to show.

``before`` runs right before a call is answered: there a test deletes a policy, or whatever else happens meanwhile.
``meddling`` changes what is written, as a mutating webhook of others does.
"""

import asyncio
import copy
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from builders import a_person
from daypass.api.convert import role_from
from daypass.api.convert_json import review_json
from daypass.app.grants.found import Grants
from daypass.app.grants.judge import Judge
from daypass.app.grants.reconcile import Reconciler, Settings
from daypass.app.grants.requests import Requests
from daypass.app.grants.votes import Ballots
from daypass.app.grants.writer import GrantWriter
from daypass.app.policies.known import Policies
from daypass.app.policies.reports import Reports
from daypass.app.ports import (
    ACCESS_REQUESTS,
    APPROVAL_POLICIES,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    PODS,
    SERVICE_ACCOUNTS,
    AlreadyExistsError,
    ApiError,
    ConflictError,
    Json,
    Resource,
)
from daypass.controller.relisting import PolicyRelist
from daypass.domain.conditions import State
from daypass.domain.permissions import ResolvedRole, RoleReference
from daypass.domain.policy import Policy
from daypass.domain.request import Use
from daypass.domain.review import Review, ReviewDecision
from daypass.expressions.cel import CelExpressions
from daypass.signing.canonical import canonical_json

NOW = datetime.now(UTC).replace(microsecond=0)
KEY = "0123456789abcdef"
RULES = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
TEAM = [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}]

Body = dict[str, Any]


def moment(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class FakeServer:
    """Objects by (plural, namespace, name), with uids and versions; no admission, no watches."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.calls: list[tuple[str, str]] = []
        self.before: dict[tuple[str, str], Callable[[], object]] = {}
        self.broken: dict[tuple[str, str], Exception] = {}
        self.meddling: dict[tuple[str, str], Callable[[Body], object]] = {}
        self._version = 100

    def now(self) -> datetime:
        return datetime.now(UTC)

    def put(self, resource: Resource, name: str, namespace: str = "", **rest: Any) -> Body:  # noqa: ANN401 - any JSON
        """Create or edit, as others do."""
        key = (resource.plural, namespace, name)
        self._version += 1
        old = self.objects.get(key, {}).get("metadata", {})
        metadata = {
            "name": name,
            "uid": old.get("uid", f"uid-{self._version}"),
            "generation": old.get("generation", 0) + 1,
            "creationTimestamp": old.get("creationTimestamp", moment(NOW - timedelta(hours=1))),
            **({"namespace": namespace} if namespace else {}),
            **rest.pop("metadata", {}),
            "resourceVersion": str(self._version),
        }
        self.objects[key] = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **rest}
        return copy.deepcopy(self.objects[key])

    def remove(self, resource: Resource, name: str, namespace: str = "") -> Body:
        return self.objects.pop((resource.plural, namespace, name))

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        await self._answer("get", resource)
        return copy.deepcopy(self.objects.get((resource.plural, namespace, name)))

    async def pages(self, resource: Resource) -> AsyncGenerator[tuple[list[Json], str], None]:
        await self._answer("list", resource)
        yield copy.deepcopy([one for key, one in self.objects.items() if key[0] == resource.plural]), str(self._version)

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        await self._answer("create", resource)
        given = copy.deepcopy(dict(body))
        metadata = {**given.pop("metadata"), "creationTimestamp": moment(self.now())}
        name = metadata.pop("name")
        if (resource.plural, namespace, name) in self.objects:
            raise AlreadyExistsError("the name is taken", 409)
        return self.put(resource, name, namespace, **{**given, "metadata": metadata})

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        await self._answer("replace", resource)
        key = (resource.plural, namespace, name)
        found, given = self.objects[key], copy.deepcopy(dict(body))
        if given["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", 409)
        given["metadata"]["creationTimestamp"] = found["metadata"]["creationTimestamp"]
        return self._stored("replace", resource, key, given)

    async def merge_patch(
        self, resource: Resource, name: str, patch: Json, namespace: str = "", subresource: str = ""
    ) -> Json:
        await self._answer("patch", resource)
        key = (resource.plural, namespace, name)
        if key not in self.objects:
            raise ApiError("not found", 404)
        body = self.objects[key]
        if patch["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", 409)
        return self._stored(
            "patch", resource, key, merged(body, {subresource: patch[subresource]} if subresource else patch)
        )

    async def evict(self, name: str, uid: str, namespace: str, grace_seconds: int) -> bool:
        assert grace_seconds >= 0
        await self._answer("evict", PODS)
        return await self.delete(PODS, name, uid, namespace)

    async def delete(self, resource: Resource, name: str, uid: str, namespace: str = "") -> bool:
        await self._answer("delete", resource)
        found = self.objects.get((resource.plural, namespace, name))
        if found is None or found["metadata"]["uid"] != uid:
            return False
        del self.objects[(resource.plural, namespace, name)]
        return True

    def _stored(self, verb: str, resource: Resource, key: tuple[str, str, str], body: Body) -> Body:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)
        meddle = self.meddling.get((verb, resource.plural))
        if meddle is not None:
            meddle(body)
        self.objects[key] = body
        return copy.deepcopy(body)

    def count(self, verb: str, resource: Resource) -> int:
        return self.calls.count((verb, resource.plural))

    async def _answer(self, verb: str, resource: Resource) -> None:
        call = (verb, resource.plural)
        self.calls.append(call)
        await asyncio.sleep(0.002)
        self.before.pop(call, lambda: None)()
        if call in self.broken:
            raise self.broken[call]


def merged(body: Body, patch: Json) -> Body:
    """RFC 7386."""
    found = dict(body)
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            found[key] = merged(found[key] if isinstance(found.get(key), dict) else {}, value)
        else:
            found[key] = copy.deepcopy(value)
    return found


class FakeVerifier:
    """Takes every signature by a key that is published for genuine."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self.keys = keys

    def genuine(self, review: Review) -> bool:
        return review.key_id in self.keys


class Notes:
    """What was told."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.told: list[str] = []

    def decided(self, _about: object, _before: State | None, after: State, _message: str) -> None:
        self.states.append(after)

    def noted(self, _about: object, reason: str, message: str) -> None:
        self.told.append(f"{reason}: {message}")

    def ended(self, _lateness: float) -> None: ...

    def granted(self, _seconds: float) -> None: ...


class Caches:
    """What the watches have told: a copy, which a test may leave behind what is there."""

    def __init__(self, scene: "Scene") -> None:
        self.scene = scene
        self.roles: dict[str, ResolvedRole] = {}
        self.accounts: dict[str, str] = {}

    def policies(self) -> Sequence[Policy]:
        return self.scene.policies.readable()

    def policy_faults(self) -> Mapping[str, str]:
        return self.scene.policies.unreadable

    def role(self, _namespace: str, role: RoleReference) -> ResolvedRole | None:
        return self.roles.get(role.name)

    async def role_now(self, _namespace: str, role: RoleReference) -> ResolvedRole | None:
        body = await self.scene.server.get(CLUSTER_ROLES, role.name)
        return None if body is None else role_from(body)

    def service_account_uid(self, _namespace: str, name: str) -> str:
        return self.accounts.get(name, "")

    def namespace_labels(self, _namespace: str) -> Mapping[str, str]:
        return {}


class Scene:
    """One controller's use cases on a fake server: a ClusterRole view, a published key, and what a test adds."""

    def __init__(self) -> None:
        self.server, self.notes, self.grants = FakeServer(), Notes(), Grants()
        self.requests, self.policies = Requests(), Policies()
        self.known = Caches(self)
        server: Any = self.server
        self.ballots = Ballots(server, server, "daypass-system", FakeVerifier)
        self.judge = Judge(self.known, self.requests, self.ballots, CelExpressions(), canonical_json, _ignore)
        self.writer = GrantWriter(server, server, self.grants, self.notes)
        reports = Reports(server, server, self.policies, self.judge.expressions)
        self.reconciler = Reconciler(
            objects=server,
            clock=server,
            known=self.known,
            requests=self.requests,
            grants=self.grants,
            judge=self.judge,
            writer=self.writer,
            journal=self.notes,
            settings=Settings(),
            reports=reports,
            workloads=self,
            admissions=self,
            refresh_policies=PolicyRelist(server, self.policies, self.heard),
        )
        self.role(RULES)
        self.server.put(CONFIG_MAPS, "daypass-signing-keys", "daypass-system", data={KEY: "PEM"})

    async def gone(self, _request: object, *, live: bool) -> str:
        """No workload is gone."""
        assert live in {True, False}
        return ""

    async def admit(self, _request: object) -> Sequence[Use]:
        """No pod waits."""
        return ()

    def heard(self, resource: Resource, body: Json, gone: bool) -> None:  # noqa: FBT001 - as kopf calls it
        assert resource is APPROVAL_POLICIES
        if gone:
            self.policies.drop(body["metadata"]["name"], body["metadata"]["uid"])
        else:
            self.policies.take(body)

    def role(self, rules: Sequence[Json]) -> None:
        """ClusterRole view, in the cache too."""
        self.known.roles["view"] = role_from(self.server.put(CLUSTER_ROLES, "view", rules=list(rules)))

    def account(self, name: str = "agent", made: datetime = NOW - timedelta(hours=1)) -> None:
        """A ServiceAccount of shop, made anew if there was one."""
        self.server.objects.pop((SERVICE_ACCOUNTS.plural, "shop", name), None)
        body = self.server.put(SERVICE_ACCOUNTS, name, "shop", metadata={"creationTimestamp": moment(made)})
        self.known.accounts[name] = body["metadata"]["uid"]

    def policy(self, name: str = "p", *, heard: bool = True, **spec: Any) -> Body:  # noqa: ANN401 - fields of spec
        """A policy that the server has; the controller only if it heard of it."""
        match = {} if spec.get("effect") == "Deny" else {"grants": {"roles": [{"kind": "ClusterRole", "name": "view"}]}}
        match = spec.pop("match", match)
        answers = {} if "approvals" in spec or match == {} else {"autoApprove": True}
        body = self.server.put(APPROVAL_POLICIES, name, spec={"effect": "Allow", "match": match, **answers, **spec})
        if heard:
            self.policies.take(copy.deepcopy(body))
        return body

    def ask(self, name: str = "fix", *, subject: Body | None = None, **spec: object) -> Body:
        """A request of alice for ClusterRole view in shop, heard."""
        full = {
            "reason": "x",
            "durationSeconds": 600,
            "role": {"kind": "ClusterRole", "name": "view"},
            "requester": {"username": "alice", "groups": ["developers"]},
            "subject": subject or {"kind": "User", "name": "alice"},
            **spec,
        }
        full = {key: value for key, value in full.items() if value is not None}
        metadata = {"creationTimestamp": moment(NOW)}
        body = self.server.put(ACCESS_REQUESTS, name, "shop", spec=full, metadata=metadata)
        self.requests.take(copy.deepcopy(body))
        return body

    def review(
        self,
        decision: ReviewDecision = ReviewDecision.APPROVE,
        name: str = "fix",
        *,
        key: str = KEY,
        heard: bool = True,
        who: str = "bob",
    ) -> None:
        """A review by bob, of what status says now."""
        body = self.server.objects[(ACCESS_REQUESTS.plural, "shop", name)]
        status = body.setdefault("status", {})
        uid, digest = body["metadata"]["uid"], status.get("digest", "")
        review = Review(1, uid, digest, decision, a_person(who), NOW, key, "c2lnbmVk")
        status["reviews"] = [*status.get("reviews", []), review_json(review)]
        self.edited(name, heard=heard)

    def edited(self, name: str = "fix", *, heard: bool = True) -> None:
        """A request was written by somebody else."""
        body = self.server.objects[(ACCESS_REQUESTS.plural, "shop", name)]
        self.server._version += 1
        body["metadata"]["resourceVersion"] = str(self.server._version)
        if heard:
            self.requests.take(copy.deepcopy(body))

    async def run(self, *names: str) -> None:
        """Reconcile, all at once."""
        await asyncio.gather(*(self.reconciler.reconcile(f"shop/{name}") for name in names or ("fix",)))

    def state(self, name: str = "fix") -> str:
        return self._ready(name)[0]

    def message(self, name: str = "fix") -> str:
        return self._ready(name)[1]

    def _ready(self, name: str) -> tuple[str, str]:
        status = self.server.objects[(ACCESS_REQUESTS.plural, "shop", name)].get("status") or {}
        found = [one for one in status.get("conditions", []) if one["type"] == "Ready"]
        return (found[0]["reason"], found[0]["message"]) if found else ("", "")


def _ignore(_name: str, _message: str) -> None: ...
