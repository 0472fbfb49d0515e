"""What the webhook keeps of the cluster: requests, policies, namespaces, public keys; small, indexed for its questions."""

import asyncio
import functools
import time
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from daypass.api import convert
from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES, CONFIG_MAPS, NAMESPACES, Json
from daypass.domain import names
from daypass.domain.conditions import FINAL, State, state_of
from daypass.domain.duplicates import equality_key, is_pending
from daypass.domain.gates import GateIndex, asks_power
from daypass.domain.identity import Identity
from daypass.domain.json_values import member
from daypass.domain.policy import Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.request import ActionGrant, Agent, Record, Request, WorkloadGrant
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.risk import Risk
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from daypass.signing.reviews import ReviewVerifier
from daypass.webhook.account_power import AccountPower

EXPECTED_SECONDS: Final = 1.0
"""Far longer than a watch takes to tell, and short enough to be no nuisance."""
SHARED: Final = 1024
"""Values of one kind that are looked up for who has an equal one: those of the teams at work, not all that ever were."""
_NO_SPEC: Final[Mapping[str, object]] = {}
_NO_AGENT: Final = Agent()
_JUDGED: Final = frozenset({"Ready", "Granted"})
"""The conditions by which admission judges a permit."""
_K = TypeVar("_K")
_V = TypeVar("_V")


class Known:
    """Implements ``app.admission.knowledge.Knowledge`` over watch caches, and verifies reviews by the published keys.

    A key is published before it signs, and a watch is quicker than any kubelet: so a replica knows the new key of
    another one before that one has it, however much later its own file comes (T61).
    """

    def __init__(self, client: Client, namespace: str, never: Collection[str] = ()) -> None:
        """``namespace`` is Daypass's own; ``never`` are those that are never gated."""
        self._expected: dict[Hashable, tuple[str, float]] = {}
        self._pending: dict[Hashable, dict[str, None]] = {}
        self._by_subject: dict[str, dict[str, Request]] = {}
        self._permits: dict[str, dict[str, Request]] = {}
        self._denied: dict[str, dict[str, Request]] = {}
        self._made: dict[str, dict[str, Request]] = {}
        self._asked: dict[tuple[str, str], dict[str, Request]] = {}
        self._requests = Cache(client, ACCESS_REQUESTS, keep=slim_request, changed=self.request_changed)
        self._unreadable_gates: set[str] = set()
        self._policies = Cache(client, APPROVAL_POLICIES, keep=self._policy, changed=self._policy_changed)
        self._namespaces = Cache(client, NAMESPACES, keep=_labels)
        self._keys = Cache(
            client,
            CONFIG_MAPS,
            keep=_verifier,
            namespace=namespace,
            field_selector=f"metadata.name={names.PUBLIC_KEYS_CONFIG_MAP}",
        )
        self._power = AccountPower(client)
        self._all_policies: PolicySet | None = None
        self._gates: tuple[Policy, ...] | None = None
        self._pod_gates: GateIndex | None = None
        self._never = never
        self._complete = False
        """Whether all that was wanted then was once listed."""

    @property
    def caches(self) -> tuple[Cache[Any], ...]:
        """All of them, for who measures them."""
        return (*self._always, *self._power.caches)

    @property
    def _always(self) -> tuple[Cache[Any], ...]:
        return (self._requests, self._policies, self._namespaces, self._keys)

    def silent_seconds(self, cache: Cache[Any]) -> float:
        """Since the API server last sent anything for a cache; 0 for one that nobody wants yet."""
        return cache.silent_seconds() if self._power.wanted or cache in self._always else 0.0

    async def follow(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as tasks:
            for cache in self._always:
                tasks.create_task(cache.run())
            tasks.create_task(self._power.follow())

    def unsynced(self) -> str:
        """The resources that were not listed yet, as text; empty when all were.

        What a gate asks for only later leaves a webhook that was ready as it is: until it is listed, the pods of that
        gate are refused, and nothing else.
        """
        needed = (*self._always, *(self._power.caches if self._power.wanted and not self._complete else ()))
        missing = ", ".join(cache.resource.plural for cache in needed if not cache.synced.is_set())
        self._complete = self._complete or not missing
        return missing

    def unheard(self) -> str:
        """The resources of which nothing was heard for so long that what is known of them may be old; empty when none."""
        return ", ".join(cache.resource.plural for cache in self._always if cache.deaf)

    def policies(self) -> PolicySet:
        """Every policy that could be read."""
        if self._all_policies is None:
            self._all_policies = PolicySet(self._policies.values())
        return self._all_policies

    def policy(self, name: str) -> Policy | None:
        """The policy of that name."""
        return self._policies.get("", name)

    def gates(self) -> Sequence[Policy]:
        """Every policy with a gate that could be read."""
        if self._gates is None:
            self._gates = tuple(policy for policy in self.policies() if policy.gate is not None)
        return self._gates

    def pod_gates(self) -> GateIndex:
        """The gates for pods, by namespace."""
        if self._pod_gates is None:
            self._pod_gates = GateIndex(self.gates(), self._never)
        return self._pod_gates

    def unreadable_gates(self) -> Sequence[str]:
        """The names of the policies with a gate that could not be read: nobody knows what it gates (T63)."""
        return (
            [name for name in self._policies.faults if name in self._unreadable_gates] if self._policies.faults else ()
        )

    def permits(self, namespace: str) -> Sequence[Request]:
        """The requests for workloads and actions in a namespace that have not ended."""
        return tuple(self._permits.get(namespace, {}).values())

    def denied(self, namespace: str) -> Sequence[Request]:
        """The requests for workloads and actions in a namespace that were denied."""
        return tuple(self._denied.get(namespace, {}).values())

    def made(self, cause: str) -> Sequence[Request]:
        """The requests that Daypass made for that cause; of those that have ended only what they came to is known."""
        return tuple(self._made.get(cause, {}).values())

    def asked(self, namespace: str, username: str) -> Sequence[Request]:
        """The requests that Daypass made in somebody's name in a namespace; as ``made``."""
        return tuple(self._asked.get((namespace, username), {}).values())

    def has_heard(self, version: str) -> bool:
        """Whether what was written to requests up to that resourceVersion is known."""
        return self._requests.has_heard(version)

    def account_power(self, namespace: str, name: str) -> Risk | None:
        """How much a ServiceAccount may do, and by which binding; None while that is not known."""
        return self._power.of(namespace, name)

    def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """The namespace's labels; None when it is not known."""
        return self._namespaces.get("", namespace)

    def genuine(self, review: Review) -> bool:
        """Whether one of the published keys signed exactly this."""
        return any(verifier.genuine(review) for verifier in self._keys.values())

    def keys(self) -> Hashable:
        """Another value whenever the published keys are others."""
        return tuple(self._keys.values())

    def equal_pending(self, request: Request) -> str:
        """The name of another request that asks for the same and waits for an answer; found by index (T16)."""
        pending = self._pending.get(equality_key(request), {})
        found = next((name for name in pending if name != request.name), "")
        return found or self._expected_equal(request)

    def expect(self, request: Request) -> None:
        """Remember a request that was let in, so that of many equal ones at once only one is (T16).

        For a second at most: if it was refused after us, its name would else stand in the way of the next.
        """
        now, key = time.monotonic(), equality_key(request)
        while self._expected and next(iter(self._expected.values()))[1] <= now:
            del self._expected[next(iter(self._expected))]  # the oldest is first
        self._expected.pop(key, None)
        self._expected[key] = (request.name, now + EXPECTED_SECONDS)

    def _expected_equal(self, request: Request) -> str:
        name, until = self._expected.get(equality_key(request), ("", 0.0))
        return name if name != request.name and until > time.monotonic() else ""

    def peers(self, request: Request) -> Sequence[Request]:
        """The other requests of the same subject, in every namespace."""
        key = f"{request.namespace}/{request.name}"
        return tuple(peer for name, peer in self._by_subject.get(request.subject.username, {}).items() if name != key)

    def request_changed(self, key: str, old: Request | None, new: Request | None) -> None:
        """Keep the indexes."""
        name = key.rpartition("/")[2]
        if old is not None:
            _remove(self._pending, equality_key(old), name)
            _remove(self._by_subject, old.subject.username, key)
            _remove(self._permits, old.namespace, key)
            _remove(self._denied, old.namespace, key)
            _remove(self._made, old.cause, key)
            _remove(self._asked, (old.namespace, old.requester.username), key)
        if new is not None:
            self._expected.pop(equality_key(new), None)
            if is_pending(new):
                self._pending.setdefault(equality_key(new), {})[name] = None
            self._by_subject.setdefault(new.subject.username, {})[key] = new
            if new.permits and state_of(new.record) not in FINAL:
                self._permits.setdefault(new.namespace, {})[key] = new
            if new.permits and state_of(new.record) is State.DENIED:
                self._denied.setdefault(new.namespace, {})[key] = new
            if new.cause:
                self._made.setdefault(new.cause, {})[key] = new
                self._asked.setdefault((new.namespace, new.requester.username), {})[key] = new

    def _policy(self, body: Json) -> Policy:
        name = body["metadata"]["name"]
        self._unreadable_gates.discard(name)
        try:
            return convert.policy_from(body)
        except Exception:
            if member(body, "spec", "gate") is not None:
                self._unreadable_gates.add(name)
            raise

    def _policy_changed(self, _key: str, _old: Policy | None, new: Policy | None) -> None:
        self._all_policies = self._gates = self._pod_gates = None
        if new is not None and asks_power(new):
            self._power.want()


def slim_request(body: Json) -> Request:
    """Keep of a request what limits and equality look at: some 1 kB, where the object has 6 (P8).

    Of a permit that has not ended all is kept that admission judges it by, reviews and uses included.
    """
    request = convert.request_from(body)
    if request.permits:
        return _slim_permit(request, body)
    record = request.record
    return replace(
        request,
        namespace=_one(request.namespace),
        requester=_requester(request.requester.username),
        subject=_one(request.subject),
        grant=_one(request.grant),
        spec=_NO_SPEC,
        reason="",
        ticket="",
        agent=_NO_AGENT,
        reviews=(),
        record=Record(
            policies=_one(record.policies),
            approved_time=record.approved_time,
            start_time=record.start_time,
            expiration_time=record.expiration_time,
            end_time=record.end_time,
        ),
    )


def _slim_permit(request: Request, body: Json) -> Request:
    """Without what only readers look at: findings alone may be 32 kB.

    Of one that has ended, what it came to, and whether a person denied it.
    """
    metadata, grant = body["metadata"], request.grant
    if isinstance(grant, WorkloadGrant | ActionGrant):
        grant = replace(grant, findings=())
    record = request.record
    record = replace(
        record,
        conditions=tuple(_one(one) for one in record.conditions if one.type in _JUDGED),
        policies=_one(record.policies),
        stages=_one(record.stages),
    )
    slim = replace(
        request,
        namespace=_one(request.namespace),
        subject=_one(request.subject),
        grant=grant,
        spec=_NO_SPEC,
        reason="",
        ticket="",
        agent=_NO_AGENT,
        record=record,
        cause=(metadata.get("labels") or {}).get(names.LABEL_CAUSE, ""),
        version=metadata["resourceVersion"],
    )
    if state_of(record) not in FINAL:
        return slim
    denials = tuple(one for one in request.reviews if one.decision is ReviewDecision.DENY)
    return replace(slim, reviews=denials, record=replace(record, stages=(), uses=(), objects=()))


@functools.lru_cache(maxsize=SHARED)
def _one(value: _V) -> _V:
    """The one copy of equal values: thousands of requests share a subject, a role, a policy."""
    return value


@functools.lru_cache(maxsize=SHARED)
def _requester(username: str) -> Identity:
    return Identity(username)


def _labels(body: Json) -> Mapping[str, str]:
    return dict(member(body, "metadata", "labels") or {})


def _verifier(body: Json) -> ReviewVerifier:
    return ReviewVerifier({key_id: pem.encode() for key_id, pem in (body.get("data") or {}).items()})


def _remove(index: dict[_K, dict[str, _V]], key: _K, name: str) -> None:
    entries = index.get(key)
    if entries is not None:
        entries.pop(name, None)
        if not entries:
            del index[key]
