"""Held pods and permits on the fake server: what a controller does with them, and what it tells."""

import copy
from datetime import datetime, timedelta
from typing import Any

from app.fake_server import NOW, Body, Scene, moment
from daypass.app.holds.pods import HeldPod, HeldPods, held_pod_from
from daypass.app.holds.reconcile import PermitReconciler
from daypass.app.ports import ACCESS_REQUESTS, DEPLOYMENTS, JOBS, PODS, RefusedError, Resource
from daypass.controller.holds import permit_reconciler
from daypass.domain import names
from daypass.domain.hold_marks import hold_mark
from daypass.domain.request import OwnerReference, WorkloadGrant
from daypass.signing.canonical import canonical_json

CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SECRETS = Resource("", "v1", "secrets", "Secret")
DEVICES = Resource("example.dev", "v1", "devices", "Device", namespaced=False)
SERVED = (CLAIMS, SECRETS, DEVICES, JOBS, DEPLOYMENTS, PODS)
PRIVILEGE = "HostPathVolumes:/var/log"


class Kinds:
    """What the fake serves."""

    async def of_kind(self, api_version: str, kind: str) -> Resource | None:
        return next((one for one in SERVED if (one.api_version, one.kind) == (api_version, kind)), None)

    async def of_plural(self, group: str, plural: str) -> Resource | None:
        return next((one for one in SERVED if (one.group, one.plural) == (group, plural)), None)


class HoldNotes:
    """What was told of pods."""

    def __init__(self) -> None:
        self.has_room = True
        self.pods: list[tuple[str, str, str]] = []
        self.owners: list[tuple[str, str, str]] = []
        self.let_go: list[str] = []
        self.lost_pods: list[str] = []
        self.uses: list[tuple[int, int]] = []

    def told(self, pod: HeldPod, reason: str, message: str, *, warning: bool = False) -> bool:
        assert warning == (reason != "Held")
        if self.has_room:
            self.pods.append((pod.name, reason, message))
        return self.has_room

    def told_owner(
        self, _namespace: str, owner: OwnerReference, reason: str, message: str, *, warning: bool = False
    ) -> bool:
        assert warning == (reason != "Held")
        if self.has_room:
            self.owners.append((f"{owner.kind} {owner.name}", reason, message))
        return self.has_room

    def released(self, pod: HeldPod, _request: str, seconds: float) -> None:
        self.let_go.append(pod.name)
        assert seconds >= 0

    def lost(self, pod: HeldPod) -> None:
        self.lost_pods.append(pod.name)

    def settled(self, confirmed: int, returned: int) -> None:
        self.uses.append((confirmed, returned))

    def evicted(self, _namespace: str, name: str, _uid: str, message: str) -> None:
        self.pods.append((name, "evicted", message))

    def not_evicted(self, _namespace: str, name: str, _uid: str, message: str) -> None:
        self.pods.append((name, "not evicted", message))


class HoldScene(Scene):
    """A controller's use cases, those of permits too; pods are heard of as soon as they change, unless said."""

    def __init__(self) -> None:
        super().__init__()
        self.told = HoldNotes()
        self.pods = HeldPods(self._arrived, self._vanished)
        self.arrived: list[str] = []
        self.missing: list[str] = []
        self.again()

    def again(self) -> None:
        """Another controller process: it knows what the server has, and nothing else."""
        if not hasattr(self, "permits"):
            self.permits = self._permits()
            return
        self.pods = HeldPods(self._arrived, self._vanished)
        self.requests.__init__()  # type: ignore[misc]
        self.permits = self._permits()
        for (plural, _, _), body in list(self.server.objects.items()):
            if plural == ACCESS_REQUESTS.plural:
                self.requests.take(copy.deepcopy(body))
            elif plural == PODS.plural and names.LABEL_HELD in body["metadata"].get("labels", {}):
                self.pods.heard(None, self.seen(body))

    def _permits(self) -> PermitReconciler:
        server: Any = self.server
        made = permit_reconciler(
            self.judge,
            self.reconciler.reports,
            server,
            Kinds(),
            self.pods,
            self.told,
            ("kube-system", "daypass-system"),
        )
        self.reconciler.workloads, self.reconciler.admissions = made.workloads, made.release
        return made

    def _arrived(self, pod: HeldPod) -> None:
        self.arrived += self.permits.concerned(pod)

    def _vanished(self, pod: HeldPod) -> None:
        name = self.permits.vanished(pod)
        if name:
            self.missing.append(name)

    def seen(self, body: Body) -> HeldPod:
        return held_pod_from(body, canonical_json)

    def hold(
        self,
        name: str = "pod",
        *,
        owner: Body | None = None,
        image: str = "one",
        gates: tuple[str, ...] = (names.SCHEDULING_GATE,),
        authors: tuple[str, ...] = ("alice",),
        privileges: tuple[str, ...] = (PRIVILEGE,),
        heard: bool = True,
    ) -> HeldPod:
        """A held pod of ServiceAccount agent that mounts /var/log; what admission knew of it is in its mark."""
        metadata: Body = {"labels": {names.LABEL_HELD: "true"}, "creationTimestamp": moment(NOW)}
        mark = hold_mark(WorkloadGrant("agent", privileges, authors=authors))
        metadata["annotations"] = {names.ANNOTATION_HELD_FOR: mark}
        if owner is not None:
            metadata["ownerReferences"] = [reference(owner)]
        spec = {
            "serviceAccountName": "agent",
            "schedulingGates": [{"name": gate} for gate in gates],
            "containers": [{"name": "main", "image": image}],
            "volumes": [{"name": "log", "hostPath": {"path": "/var/log"}}],
        }
        body = self.server.put(PODS, name, "shop", spec=spec, metadata=metadata)
        pod = self.seen(body)
        if heard:
            self.pods.heard(None, pod)
        return pod

    def job(self, name: str = "work", authors: str | None = "alice") -> Body:
        """A Job, stamped with its authors."""
        annotations = {} if authors is None else {names.ANNOTATION_AUTHORS: authors}
        return self.server.put(JOBS, name, "shop", metadata={"annotations": annotations})

    def workload(
        self,
        name: str = "daypass-1",
        *,
        pod: HeldPod | None = None,
        owner: Body | None = None,
        authors: tuple[str, ...] = ("alice",),
        privileges: tuple[str, ...] = (PRIVILEGE,),
        pods: int = 2,
    ) -> Body:
        """A request to run a pod like this one."""
        workload: Body = {"serviceAccountName": "agent", "privileges": list(privileges), "maxPods": pods}
        if pod is not None:
            workload["podTemplateDigest"] = pod.digest
        if name.startswith("daypass-"):
            workload |= {"authors": list(authors)} | ({"owner": reference(owner)} if owner is not None else {})
            workload.get("owner", {}).pop("controller", None)
        return self.ask(name, role=None, workload=workload)

    def action(self, request: str = "act", **action: object) -> Body:
        """A request to delete a claim, if nothing else is said."""
        asked = {"verb": "delete", "group": "", "resource": CLAIMS.plural, "name": "data", **action}
        return self.ask(request, role=None, action=asked)

    def allow(self, **spec: Any) -> None:  # noqa: ANN401 - fields of spec
        """A policy that lets all of this be asked for, and one approver agree."""
        grants = {
            "workload": {"privileges": ["Baseline", "Restricted", "ServiceAccountPower"]},
            "actions": [
                {"verbs": ["create", "update", "delete"], "groups": [one.group], "resources": [one.plural]}
                for one in (CLAIMS, DEVICES)
            ],
        }
        self.policy("permits", match={"grants": grants}, approvals=[self.team()], **spec)

    def team(self, required: int = 1) -> Body:
        return {"name": "team", "required": required, "approvers": {"groups": ["approvers"]}}

    async def active(self, name: str = "daypass-1") -> None:
        """The request is evaluated, approved by bob and in force."""
        await self.run(name)
        self.review(name=name)
        await self.run(name)
        assert self.state(name) == "Active", self.message(name)

    async def reconcile(self, name: str = "daypass-1") -> datetime | None:
        return await self.permits.reconcile(f"shop/{name}")

    def reserve(self, uid: str, name: str, of: str = "act", *, key: str = "", age: float = 0) -> None:
        """The webhook reserves a use."""
        time = moment(self.server.now() - timedelta(seconds=age))
        use = {"key": key or uid, "kind": "Any", "name": name, "uid": uid, "time": time, "confirmed": False}
        status = self.body(of).setdefault("status", {})
        status["uses"] = [*status.get("uses", []), use]
        self.edited(of)

    def uses(self, name: str = "daypass-1") -> list[tuple[str, bool]]:
        return [(use["name"], use["confirmed"]) for use in (self.body(name).get("status") or {}).get("uses") or []]

    def held(self, name: str = "pod") -> bool:
        """Whether our gate or our label is on the pod."""
        body = self.server.objects[(PODS.plural, "shop", name)]
        gates = [one["name"] for one in body["spec"].get("schedulingGates") or []]
        return names.SCHEDULING_GATE in gates or names.LABEL_HELD in body["metadata"].get("labels", {})

    def body(self, name: str) -> Body:
        return self.server.objects[(ACCESS_REQUESTS.plural, "shop", name)]

    def refuse(self, verb: str, resource: Resource) -> None:
        self.server.broken[verb, resource.plural] = RefusedError("forbidden", 403)


def reference(owner: Body) -> Body:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
