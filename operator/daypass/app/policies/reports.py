"""What is reported about each policy: Ready, or Stalled with the reason."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from weakref import WeakValueDictionary

from daypass.api.convert import rules_from
from daypass.api.convert_json import condition_json
from daypass.app.policies.known import Policies
from daypass.app.ports import (
    APPROVAL_POLICIES,
    ROLES,
    ApiError,
    Clock,
    Kinds,
    Objects,
    RefusedError,
    Resource,
)
from daypass.domain import policy_rules
from daypass.domain.coverage import missing
from daypass.domain.deadlines import floor
from daypass.domain.expressions import Expressions
from daypass.domain.gate_bounds import DEFAULT_BOUNDS, Bounds
from daypass.domain.permissions import RoleReference, Rule
from daypass.domain.policy import Effect, Policy
from daypass.domain.request import Condition
from daypass.domain.times import moment_from
from daypass.domain.wording import permission

ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)
RULES_REVIEWS: Final = Resource(
    "authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False
)
REMEMBERED_SECONDS: Final = 60
RECHECK_SECONDS: Final = 300
"""What the operator may bind changes without any policy changing."""
FAULTY_RECHECK_SECONDS: Final = 15
"""Whoever mends what a policy complains of looks at the policy next."""
MAX_MESSAGE: Final = 32_000


class Gates(Protocol):
    """What keeps the gates of policies in force; ``app.gates.keeper`` implements it."""

    def fault(self, policy: Policy) -> str | None:
        """What keeps a policy's gate from being in force; empty where it is, None while that is not known yet."""
        ...


@dataclass(slots=True)
class Reports:
    """Says of a policy what its author should know, and writes it down when that changes."""

    objects: Objects
    clock: Clock
    policies: Policies
    expressions: Expressions
    gates: Gates | None = None
    bounds: Bounds = DEFAULT_BOUNDS
    kinds: Kinds | None = None
    _held: tuple[datetime, tuple[Rule, ...]] | None = field(default=None)
    _allowances: dict[tuple[tuple[str, str], ...], datetime] = field(default_factory=dict)
    _asking: WeakValueDictionary[tuple[tuple[str, str], ...], asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def report(self, name: str) -> datetime | None:
        """Bring a policy's status up to date; when to look again. Raises ApiError."""
        body = self.policies.body(name)
        if body is None:
            return None
        now = self.clock.now()
        faults = await self._faults(name)
        generation = body["metadata"].get("generation", 0)
        current: Mapping[str, Any] = body.get("status") or {}
        if not faults and current.get("observedGeneration") == generation and self._is_pending(name):
            # What another controller said of this very policy holds until this one has looked at the gates itself.
            return now + timedelta(seconds=FAULTY_RECHECK_SECONDS)
        told = _conditions(current, faults, await self._progress(name), generation, now)
        wanted = {"observedGeneration": generation, "conditions": [condition_json(one) for one in told]}
        if any(current.get(key) != value for key, value in wanted.items()):
            patch = {"metadata": {"resourceVersion": body["metadata"]["resourceVersion"]}, "status": wanted}
            self.policies.take(await self.objects.merge_patch(APPROVAL_POLICIES, name, patch, subresource="status"))
        return now + timedelta(seconds=FAULTY_RECHECK_SECONDS if faults else RECHECK_SECONDS)

    async def _faults(self, name: str) -> tuple[tuple[str, str], ...]:
        """Reason and text of each thing that is wrong."""
        policy = self.policies.find(name)
        if policy is None:
            return (("Malformed", self.policies.unreadable.get(name, "")),)
        others = self.policies.readable()
        found = [("Malformed", str(one)) for one in policy_rules.violations(policy, others, self.bounds)]
        found += [
            ("InvalidExpression", str(one)) for one in policy_rules.expression_violations(policy, self.expressions)
        ]
        found += [("UnknownPolicy", str(one)) for one in policy_rules.unresolved(policy, others)]
        failed = self.policies.fault(name, self.clock.now())
        if failed:
            found.append(("ExpressionFailed", failed))
        unguarded = self._gate_fault(policy)
        if unguarded:
            found.append(("GateNotInForce", f"the gate is not in force: {unguarded}"))
        if policy.match.grants is not None and policy.effect is Effect.ALLOW:
            for role in policy.match.grants.roles:
                if not await self._may_bind(role, policy):
                    found.append(("NotGrantable", f"Daypass may not bind {role.kind} {role.name}: see grantableRoles"))
            found += await self._beyond(policy.match.grants.rules)
        return tuple(found)

    def _gate_fault(self, policy: Policy) -> str | None:
        return "" if policy.gate is None or self.gates is None else self.gates.fault(policy)

    def _is_pending(self, name: str) -> bool:
        policy = self.policies.find(name)
        return policy is not None and self._gate_fault(policy) is None

    async def _progress(self, name: str) -> tuple[str, str, str]:
        """Status, reason and message of Ready where nothing is wrong."""
        policy = self.policies.find(name)
        if policy is None or policy.gate is None:
            return ("True", "Ready", "The policy is in force.")
        if self._is_pending(name):
            return ("False", "GatePending", "The gate is not in the webhook configuration yet.")
        text = "The policy is in force, and its gate is in the webhook configuration."
        unserved = await self._unserved(policy)
        if unserved:
            # Not a fault: the definition of a custom resource may come later, and the gate then stands already.
            text += f" But the cluster does not serve {', '.join(unserved)}: there the gate stops nothing."
        return ("True", "Ready", text)

    async def _unserved(self, policy: Policy) -> list[str]:
        """The resources that the gate names and that none of its groups has; as far as the API server tells."""
        if self.kinds is None or policy.gate is None:
            return []
        found: dict[str, None] = {}
        for pattern in (action.pattern for action in policy.gate.actions):
            for plural in dict.fromkeys(resource.partition("/")[0] for resource in pattern.resources):
                try:
                    served = [await self.kinds.of_plural(group, plural) for group in pattern.groups]
                except ApiError:
                    continue
                if not any(served):
                    found[f"{plural} in {' or '.join(group or 'the core group' for group in pattern.groups)}"] = None
        return list(found)

    async def _may_bind(self, role: RoleReference, policy: Policy) -> bool:
        attributes = {
            "group": ROLES.group,
            "resource": "clusterroles" if role.kind == "ClusterRole" else "roles",
            "verb": "bind",
            "name": role.name,
        }
        literal = [one for one in policy.match.namespaces or () if "*" not in one]
        for namespace in literal if role.kind == "Role" and literal else [""]:
            if not await self._allowed(attributes | ({"namespace": namespace} if namespace else {})):
                return False
        return True

    async def _allowed(self, attributes: Mapping[str, str]) -> bool:
        """Whether RBAC allows us this; a yes is good for a minute, for many policies name the same roles."""
        key, now = tuple(sorted(attributes.items())), self.clock.now()
        if key in self._allowances and now - self._allowances[key] < timedelta(seconds=REMEMBERED_SECONDS):
            return True
        spec = {"resourceAttributes": attributes}
        review = {"apiVersion": ACCESS_REVIEWS.api_version, "kind": ACCESS_REVIEWS.kind, "spec": spec}
        async with self._asking.setdefault(key, asyncio.Lock()):
            if key in self._allowances and self._allowances[key] >= now:
                return True
            answer = await self.objects.create(ACCESS_REVIEWS, review)
            if (answer.get("status") or {}).get("allowed"):
                self._allowances[key] = self.clock.now()
                return True
        self._allowances.pop(key, None)
        return False

    async def _beyond(self, rules: Sequence[Rule]) -> list[tuple[str, str]]:
        if not rules:
            return []
        return [
            ("NotGrantable", f"Daypass does not hold {permission(rule)}: see grantableRules")
            for rule in missing(await self.held(), rules)
        ]

    async def held(self, *, fresh: bool = False) -> tuple[Rule, ...]:
        """What the operator itself may do everywhere, a minute old at most; what it holds it may grant by rules."""
        now = self.clock.now()
        if not fresh and self._held is not None and now - self._held[0] < timedelta(seconds=REMEMBERED_SECONDS):
            return self._held[1]
        spec = {"namespace": "default"}
        review = {"apiVersion": RULES_REVIEWS.api_version, "kind": RULES_REVIEWS.kind, "spec": spec}
        try:
            answer = await self.objects.create(RULES_REVIEWS, review)
        except RefusedError:
            return ()
        rules = rules_from((answer.get("status") or {}).get("resourceRules") or [])
        self._held = (now, rules)
        return rules


def _conditions(
    current: Mapping[str, Any],
    faults: Sequence[tuple[str, str]],
    progress: tuple[str, str, str],
    generation: int,
    now: datetime,
) -> list[Condition]:
    status, reason, text = progress
    if faults:
        status, reason, text = "False", faults[0][0], "; ".join(text for _, text in faults)[:MAX_MESSAGE]
    told = [("Ready", status), *([("Stalled", "True")] if faults else [])]
    return [Condition(kind, value, reason, text, generation, _since(current, kind, value, now)) for kind, value in told]


def _since(current: Mapping[str, Any], kind: str, status: str, now: datetime) -> datetime:
    for one in current.get("conditions") or []:
        since = moment_from(one.get("lastTransitionTime"))
        if one.get("type") == kind and one.get("status") == status and since is not None:
            return since
    return floor(now)
