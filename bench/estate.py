"""A large company on paper: a hundred policies with gates, and ten thousand requests, as the API server would list them."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from daypass.domain import names
from daypass.domain.identity import Identity
from daypass.domain.review import Review, ReviewDecision
from daypass.domain.times import rfc3339
from daypass.signing.reviews import ReviewSigner, key_id_of

Json = dict[str, Any]

FLEET: Final = 3
"""Policies that speak of every namespace; each of the others has namespaces of its own."""
DIGEST: Final = "ab" * 32
STARTED: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
LASTS: Final = timedelta(hours=8)
_OBJECT: Final = {"apiVersion": names.API_VERSION, "metadata": {"generation": 1}}


def policies(count: int, namespace: str = "shop-{}") -> list[Json]:
    """Of so many teams, and of those who look after the nodes and the fleet; each has a gate."""
    return [*_fleet(), *(_team(number, namespace.format(number)) for number in range(count - FLEET))]


def requests(count: int, teams: int, keys: "Keys") -> list[Json]:
    """All active, a fifth for workloads and a tenth for operations; each approved by a review that is genuine."""
    return [_request(number, f"shop-{number % teams}", f"team-{number % teams}", keys) for number in range(count)]


def namespaces(teams: int) -> list[Json]:
    """Of the teams, and what every cluster has."""
    found = ("default", "kube-system", "daypass-system", *(f"shop-{number}" for number in range(teams)))
    return [{"metadata": _metadata(name, labels={"kubernetes.io/metadata.name": name})} for name in found]


def lists(policies: Sequence[Json], count: int, teams: int, keys: "Keys") -> dict[str, Sequence[Json]]:
    """What the webhook lists: these policies, so many requests of so many teams, and no roles."""
    return {
        "accessrequests": requests(count, teams, keys),
        "approvalpolicies": policies,
        "namespaces": namespaces(teams),
        "configmaps": [keys.published()],
        **{name: [] for name in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")},
    }


class Keys:
    """A signing key, as ``daypass setup`` would make it."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self.id = key_id_of(key.public_key())
        self.private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self._signer = ReviewSigner({self.id: self.private}, self.id)

    def published(self) -> Json:
        """The ConfigMap."""
        metadata = _metadata(names.PUBLIC_KEYS_CONFIG_MAP, "daypass-system")
        return {"metadata": metadata, "data": {self.id: self.public.decode()}}

    def approval(self, uid: str) -> Json:
        """A signed review, as status has it."""
        person = Identity("bob", groups=("approvers", "system:authenticated"))
        review = self._signer.sign(Review(1, uid, DIGEST, ReviewDecision.APPROVE, person, STARTED, self.id, ""))
        return {
            "version": 1,
            "requestUID": uid,
            "digest": DIGEST,
            "decision": "Approve",
            "reviewer": {"username": person.username, "groups": list(person.groups)},
            "time": rfc3339(STARTED),
            "keyID": review.key_id,
            "signature": review.signature,
        }


def _team(number: int, namespace: str) -> Json:
    team = f"team-{number}"
    agent = {"kind": "ServiceAccount", "name": "agent"}
    claims = {"verbs": ["delete"], "groups": [""], "resources": ["persistentvolumeclaims"]}
    privileges = ["Baseline", "Devices", "VolumeClaims:production-*"]
    return _policy(
        team,
        {
            "namespaces": [namespace, f"{namespace}-*"],
            "requesters": [{"kind": "Group", "name": team}, agent | {"namespace": namespace}],
            "grants": {
                "roles": [{"kind": "ClusterRole", "name": name} for name in ("view", "edit")],
                "workload": {"privileges": privileges},
                "actions": [claims],
            },
        },
        {
            "workloads": {
                "agents": [agent, {"kind": "Group", "name": f"{team}-agents"}],
                "privileges": privileges,
                "onMissing": "Deny",
                "request": True,
            },
            "actions": [{**claims, "by": [agent], "request": True}],
        },
        [f"{team}-leads", "approvers"],
    )


def _fleet() -> Sequence[Json]:
    everywhere = {"namespaces": ["*"], "grants": {"workload": {"privileges": ["Restricted"]}}}
    gates: dict[str, Json] = {
        "nodes": {"workloads": {"privileges": ["HostNamespaces", "HostProcess", "PrivilegedContainers"]}},
        "power": {"workloads": {"privileges": ["ServiceAccountPower:Critical"]}},
        "fleet": {"mode": "Audit", "workloads": {"privileges": ["Restricted"]}},
    }
    return [_policy(name, everywhere, gate, ["approvers"]) for name, gate in gates.items()]


def _policy(name: str, match: Json, gate: Json, approvers: list[str]) -> Json:
    stage = {"name": "leads", "required": 1, "approvers": {"groups": approvers}}
    return {
        **_OBJECT,
        "kind": "ApprovalPolicy",
        "metadata": _metadata(name),
        "spec": {
            "effect": "Allow",
            "match": match,
            "limits": {"maxDurationSeconds": 28800},
            "approvals": [stage],
            "gate": gate,
        },
    }


def _request(number: int, namespace: str, team: str, keys: Keys) -> Json:
    uid = f"uid-of-request-{number}"
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": "agent" if number % 2 else f"job-{number}"}
    username = names.service_account_username(subject["namespace"], subject["name"])
    stage = {"policy": team, "name": "leads", "required": 1, "approvers": {"groups": [f"{team}-leads", "approvers"]}}
    state = ("Approved", "Granted", "Ready", "Reconciling", "Stalled")
    return {
        **_OBJECT,
        "kind": "AccessRequest",
        "metadata": _metadata(f"request-{number}", namespace),
        "spec": {
            "requester": {"username": username, "uid": uid, "groups": ["system:serviceaccounts"]},
            "subject": subject,
            **_grant(number),
            "durationSeconds": int(LASTS.total_seconds()),
            "reason": f"Roll out what was agreed upon in the meeting of the release team, number {number}",
            "ticket": f"OPS-{number}",
            "context": {"agent": {"name": "releaser", "model": "m-1", "run": str(number)}},
        },
        "status": {
            "conditions": [_condition(kind, kind in state[:3]) for kind in state],
            "policies": [{"name": team, "uid": f"uid-of-{team}", "generation": 1}],
            "risk": {"level": "High", "findings": ["edit in one namespace", "reads Secrets"]},
            "stages": [{**stage, "approvedBy": ["bob"], "satisfied": True}],
            "digest": DIGEST,
            "reviews": [keys.approval(uid)],
            "pendingDeadlineTime": rfc3339(STARTED + LASTS),
            "approvedTime": rfc3339(STARTED),
            "startTime": rfc3339(STARTED),
            "expirationTime": rfc3339(STARTED + LASTS),
            "access": "a grant of a benchmark",
        },
    }


def _grant(number: int) -> Json:
    match number % 10:
        case 7 | 8:
            account = "agent" if number % 2 else f"job-{number}"
            privileges = [f"HostPathVolumes:/var/log/{number}", "HostNamespaces:hostPID"]
            return {"workload": {"serviceAccountName": account, "privileges": privileges, "maxPods": 100}}
        case 9:
            target = {"group": "", "resource": "persistentvolumeclaims", "name": f"data-{number}"}
            return {"action": {"verb": "delete", **target}}
        case _:
            return {"role": {"kind": "ClusterRole", "name": "edit"}}


def _condition(kind: str, holds: bool) -> Json:  # noqa: FBT001 - a condition is a boolean
    return {
        "type": kind,
        "status": str(holds),
        "reason": "Active",
        "message": "The access is active.",
        "observedGeneration": 1,
        "lastTransitionTime": rfc3339(STARTED),
    }


_versions = itertools.count(1000)


def _metadata(name: str, namespace: str = "", **more: object) -> Json:
    where = {"namespace": namespace} if namespace else {}
    return {
        "name": name,
        **where,
        "uid": f"uid-of-{name}",
        "resourceVersion": str(next(_versions)),
        "generation": 1,
        "creationTimestamp": rfc3339(STARTED),
        **more,
    }
