"""The held pods that are known: those that wait with our scheduling gate for a request to be approved."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from sys import intern
from typing import Final

from daypass.app.digests import pod_template_digest
from daypass.app.owners import controller_of
from daypass.app.ports import Canonical, Json
from daypass.domain import names, privileges
from daypass.domain.hold_marks import gate_names
from daypass.domain.privileges import Finding
from daypass.domain.request import OwnerReference

REMEMBERED: Final = 20_000

Account = tuple[str, str]
"""Namespace and name of a ServiceAccount: what every request for a workload says."""


@dataclass(frozen=True, slots=True)
class HeldPod:
    """Of a pod what decides whether it may go, and no more: thousands may be held at a time."""

    namespace: str
    name: str
    uid: str
    version: str
    created: str
    service_account: str
    digest: str
    findings: tuple[Finding, ...]
    labels: tuple[tuple[str, str], ...]
    gates: tuple[str, ...]
    """All its scheduling gates: a patch names those that stay."""
    controller: OwnerReference | None
    mark: str = ""
    """For what it was held: only a request for that may be told from others that look the same."""
    deleting: bool = False

    @property
    def held(self) -> bool:
        """Whether our gate is on it."""
        return names.SCHEDULING_GATE in self.gates

    @property
    def account(self) -> Account:
        """As whom it runs."""
        return (self.namespace, self.service_account)

    @property
    def key(self) -> str:
        """Namespace, name and uid as one text."""
        return f"{self.namespace}/{self.name}/{self.uid}"


def held_pod_from(body: Json, canonical: Canonical) -> HeldPod:
    """What is kept of a pod; raises ValueError where its digest can't be told."""
    metadata, spec = body["metadata"], body.get("spec") or {}
    return HeldPod(
        namespace=intern(metadata["namespace"]),
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created=metadata.get("creationTimestamp") or "",
        service_account=intern(spec.get("serviceAccountName") or "default"),
        digest=intern(pod_template_digest(body, canonical)),
        findings=privileges.of_pod(body),
        labels=tuple(sorted((intern(key), intern(value)) for key, value in (metadata.get("labels") or {}).items())),
        gates=tuple(map(intern, gate_names(body))),
        controller=_interned(controller_of(body)),
        mark=intern((metadata.get("annotations") or {}).get(names.ANNOTATION_HELD_FOR) or ""),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


class HeldPods:
    """Held pods by ServiceAccount and by what they run; what we let go ourselves is told from what others did."""

    def __init__(
        self, arrived: Callable[[HeldPod], None] | None = None, vanished: Callable[[HeldPod], None] | None = None
    ) -> None:
        """``arrived`` hears of each held pod that is new or changed, ``vanished`` of each that is held no more."""
        self._arrived, self._vanished = arrived or _ignore, vanished or _ignore
        self._accounts: dict[Account, dict[str, dict[str, HeldPod]]] = {}
        self._pods: dict[str, HeldPod] = {}
        self._let_go: OrderedDict[str, None] = OrderedDict()

    def heard(self, old: HeldPod | None, new: HeldPod | None) -> None:
        """A watch says that a pod became another."""
        if old is not None and (new is None or new.uid != old.uid):
            self._drop(old.uid)
            self._vanished(old)
        if new is None:
            return
        if not new.held:
            self._drop(new.uid)
            self._vanished(new)
        elif new.uid not in self._let_go:
            self._put(new)
            self._arrived(new)

    def of(self, account: Account, digest: str) -> list[HeldPod]:
        """Held pods that run this, or anything where it is empty; those that were made first in front."""
        kinds = self._accounts.get(account, {})
        found = [kinds.get(digest, {})] if digest else list(kinds.values())
        pods = [pod for kind in found for pod in kind.values() if not pod.deleting]
        return sorted(pods, key=lambda pod: (pod.created, pod.name))

    def all(self) -> Iterator[HeldPod]:
        """Every held pod; a snapshot."""
        return iter(list(self._pods.values()))

    def let_go(self, pod: HeldPod) -> None:
        """We take its gate off now: what the watch then tells of it is no news."""
        self._let_go[pod.uid] = None
        if len(self._let_go) > REMEMBERED:
            self._let_go.popitem(last=False)
        self._drop(pod.uid)

    def kept(self, pod: HeldPod) -> None:
        """Our patch may not have gone through: take it for held until a watch or the next patch says otherwise."""
        self._let_go.pop(pod.uid, None)
        self._put(pod)

    def was_let_go(self, uid: str) -> bool:
        """Whether we took the gate off ourselves."""
        return uid in self._let_go

    def __len__(self) -> int:
        """How many are held."""
        return len(self._pods)

    def _put(self, pod: HeldPod) -> None:
        self._drop(pod.uid)
        self._pods[pod.uid] = pod
        self._accounts.setdefault(pod.account, {}).setdefault(pod.digest, {})[pod.uid] = pod

    def _drop(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod is None:
            return
        kinds = self._accounts[pod.account]
        del kinds[pod.digest][uid]
        if not kinds[pod.digest]:
            del kinds[pod.digest]
        if not kinds:
            del self._accounts[pod.account]


def _interned(owner: OwnerReference | None) -> OwnerReference | None:
    """The same, of which thousands of pods share the texts."""
    if owner is None:
        return None
    return OwnerReference(intern(owner.api_version), intern(owner.kind), intern(owner.name), intern(owner.uid))


def _ignore(_pod: HeldPod) -> None: ...
