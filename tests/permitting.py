"""Pods, calls and approved requests for tests of permits: say what matters to the case, and the rest is ordinary."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from builders import DIGEST, NOON, a_person, a_policy, a_request, a_stage, a_workload, an_action, an_applied
from daypass.domain.conditions import State, state_of
from daypass.domain.identity import Identity
from daypass.domain.permits import ActionCall
from daypass.domain.pod_facts import PodFacts
from daypass.domain.policy import ActionPattern, AppliedStage, Policy
from daypass.domain.policy_set import PolicySet
from daypass.domain.privileges import Finding
from daypass.domain.request import ActionGrant, Condition, OwnerReference, PolicyReference, Request, Use, WorkloadGrant
from daypass.domain.review import Review

RUNS: Final = "cd" * 32
LATER: Final = NOON + timedelta(minutes=10)
JOB: Final = OwnerReference("batch/v1", "Job", "nightly", "uid-of-nightly")
VOLUMES: Final = ActionPattern(("delete",), ("",), ("persistentvolumeclaims",))


def a_pod(
    *privileges: str,
    name: str = "nightly-x7x2k",
    account: str = "agent",
    namespace: str = "shop",
    authors: tuple[str, ...] = ("alice",),
    unknown: bool = False,
    digest: str = RUNS,
    owner: OwnerReference | None = JOB,
    caller: str | Identity = "kube-system/job-controller",
) -> PodFacts:
    """A pod of alice's Job nightly, run by ServiceAccount agent, that uses HostNamespaces if nothing else is said."""
    return PodFacts(
        namespace=namespace,
        name=name,
        uid=f"uid-of-{name}",
        service_account=account,
        findings=tuple(_finding(one) for one in privileges or ("HostNamespaces:hostPID",)),
        digest=digest,
        authors=authors,
        authors_unknown=unknown,
        owner=owner,
        caller=a_person(caller) if isinstance(caller, str) else caller,
        runs=("container it: image busybox:1, command: sleep 1",),
    )


def a_call(
    text: str = "delete persistentvolumeclaims data",
    *,
    caller: str = "shop/agent",
    namespace: str = "shop",
    digest: str = "",
    key: str = "uid-of-data",
) -> ActionCall:
    """The agent deletes a volume claim, if nothing else is said."""
    grant = an_action(text)
    target = (grant.verb, grant.group, grant.resource, grant.subresource, grant.name)
    return ActionCall(namespace, *target, digest, a_person(caller), (key,))


def a_permit(
    grant: WorkloadGrant | ActionGrant | None = None,
    *people: str,
    requester: str = "shop/agent",
    stages: tuple[AppliedStage, ...] | None = None,
    policy: str = "p",
    used: Sequence[str] = (),
    uid: str = "request-1",
    state: State = State.ACTIVE,
    until: datetime = NOON + timedelta(hours=1),
) -> Request:
    """An active request, approved by these people (bob, if nobody is named) for the stage of policy p."""
    made = a_request(grant=grant or a_workload(), requester=requester, uid=uid).approved_by(*(people or ("bob",)))
    request = made.granted(NOON, until=until).build()
    given = "True" if state is State.ACTIVE else "False"
    record = replace(
        request.record,
        conditions=tuple(_condition(kind, given, state) for kind in ("Approved", "Granted", "Ready")),
        policies=(PolicyReference(policy, f"uid-{policy}", 1),),
        stages=an_applied(a_stage(), policy=policy) if stages is None else stages,
        digest=DIGEST,
        pending_deadline_time=NOON + timedelta(days=1),
        uses=tuple(a_use(key) for key in used),
    )
    return replace(request, record=record, version="100")


def a_use(key: str) -> Use:
    """A use of some object."""
    return Use(key, "Pod", f"name-of-{key}", key, NOON)


class Known:
    """What admission knows, as a test makes it up; reviews are genuine unless their signature is ``forged``."""

    def __init__(self, *requests: Request, policies: Sequence[Policy] | None = None) -> None:
        self.requests = list(requests)
        privileges = ("Baseline", "Restricted", "*")
        self.all_policies = PolicySet(
            [a_policy(roles=(), privileges=privileges, actions=(VOLUMES,))] if policies is None else policies
        )
        self.published: Hashable = "keys"
        self.verified: list[Review] = []
        self.withdrawn = False
        self.unreadable: tuple[str, ...] = ()
        self.heard = 0
        """The last resourceVersion of which the watch told."""

    def permits(self, namespace: str) -> Sequence[Request]:
        return [one for one in self.requests if one.namespace == namespace]

    def denied(self, namespace: str) -> Sequence[Request]:
        return [one for one in self.permits(namespace) if state_of(one.record) is State.DENIED]

    def made(self, cause: str) -> Sequence[Request]:
        return [one for one in self.requests if one.cause == cause]

    def asked(self, namespace: str, username: str) -> Sequence[Request]:
        return [one for one in self.permits(namespace) if one.cause and one.requester.username == username]

    def has_heard(self, version: str) -> bool:
        return int(version) <= self.heard

    def policies(self) -> PolicySet:
        return self.all_policies

    def policy(self, name: str) -> Policy | None:
        return self.all_policies.find(name)

    def unreadable_gates(self) -> Sequence[str]:
        return self.unreadable

    def genuine(self, review: Review) -> bool:
        self.verified.append(review)
        return review.signature != "forged" and not self.withdrawn

    def keys(self) -> Hashable:
        return self.published

    def now(self) -> datetime:
        return LATER


def _finding(text: str) -> Finding:
    control, _, value = text.partition(":")
    return Finding(control, value, f"spec.{control[:1].lower()}{control[1:]}")


def _condition(kind: str, status: str, state: State) -> Condition:
    return Condition(kind, status, state.value, f"{kind} says so.", 1, NOON)
