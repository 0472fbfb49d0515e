"""Whether the workload is still there for which Daypass made a request; where it is not, nobody needs an answer."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from daypass.app.holds.pods import HeldPod, HeldPods
from daypass.app.ports import ApiError, Kinds, Objects
from daypass.domain import names
from daypass.domain.hold_marks import hold_mark
from daypass.domain.request import OwnerReference, Request, WorkloadGrant

REMEMBERED: Final = 20_000
GONE: Final = "WorkloadGone"


def is_made(request: Request) -> bool:
    """Whether Daypass made the request, for a workload: the API server's own policy keeps others off such names."""
    return isinstance(request.grant, WorkloadGrant) and request.name.startswith(names.MADE_PREFIX)


@dataclass(slots=True)
class Workloads:
    """Implements ``app.grants.surroundings.Workloads``."""

    objects: Objects
    kinds: Kinds
    pods: HeldPods
    _gone: dict[str, str] = field(default_factory=dict)
    _waited: OrderedDict[str, None] = field(default_factory=OrderedDict)

    async def gone(self, request: Request, *, live: bool) -> str:
        """What is gone, for a person; empty while it is there, or nobody can tell."""
        if live:
            await self.look(request)
        return self._gone.get(request.uid, "")

    async def look(self, request: Request) -> bool:
        """Look live; whether it is gone. What can't be read counts as there: nothing is given because of it."""
        text = await self._missing(request)
        if text:
            self._gone[request.uid] = text
        else:
            self._gone.pop(request.uid, None)
        return bool(text)

    def waits(self, request: Request) -> None:
        """Note whether a held pod waits for a request; for that of a pod that was refused none ever did."""
        if self._bare(request):
            self._waited[request.uid] = None
            if len(self._waited) > REMEMBERED:
                self._waited.popitem(last=False)

    def forget(self, request_uid: str) -> None:
        """The request is gone itself, or has its answer."""
        self._gone.pop(request_uid, None)
        self._waited.pop(request_uid, None)

    async def _missing(self, request: Request) -> str:
        grant = request.grant
        if not isinstance(grant, WorkloadGrant) or not is_made(request):
            return ""
        if grant.owner is not None:
            return await self._owner_missing(request.namespace, grant.owner)
        if request.uid not in self._waited or self._bare(request):
            return ""
        return f"{GONE}: the pod that waited for it is gone, or has changed."

    def _bare(self, request: Request) -> list[HeldPod]:
        """The held pods without an owner that a request without one may be for."""
        grant = request.grant
        if not isinstance(grant, WorkloadGrant) or grant.owner is not None:
            return []
        held = self.pods.of((request.namespace, grant.service_account_name), grant.pod_template_digest)
        mark = hold_mark(grant)
        return [pod for pod in held if pod.controller is None and pod.mark == mark]

    async def _owner_missing(self, namespace: str, owner: OwnerReference) -> str:
        try:
            resource = await self.kinds.of_kind(owner.api_version, owner.kind)
            if resource is None:
                return ""
            body = await self.objects.get(resource, owner.name, namespace if resource.namespaced else "")
        except ApiError:
            return ""
        if body is not None and body["metadata"]["uid"] == owner.uid:
            return ""
        return f"{GONE}: {owner.kind} {namespace}/{owner.name} is gone."
