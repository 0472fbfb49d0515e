"""A bed with Daypass at work, people who ask and approve as fast as they are let, and an eye on the bindings."""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from bed import Bed
from bed.people import populate
from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES, ROLE_BINDINGS, ApiError, Json
from daypass.kube.client import Client
from daypass.kube.connection import Connection

NAMESPACE: Final = "bench"
LABEL: Final = "daypass.dev/request-uid"
CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
RULE: Final = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
POLICY: Final = {
    "apiVersion": "daypass.dev/v1alpha1",
    "kind": "ApprovalPolicy",
    "metadata": {"name": "bench"},
    "spec": {
        "effect": "Allow",
        "match": {
            "namespaces": [NAMESPACE],
            "requesters": [{"kind": "Group", "name": "developers"}],
            "subjects": [{"kind": "User", "name": "bench-*"}],
            "grants": {"roles": [{"kind": "ClusterRole", "name": "view"}], "rules": [RULE]},
        },
        "limits": {"maxDurationSeconds": 86400},
        "approvals": [{"name": "team", "required": 1, "approvers": {"groups": ["approvers"]}}],
    },
}


class Scene:
    """What the benchmarks hold; times are of this host's clock, which is the API server's too."""

    def __init__(self, bed: Bed, asker: Client, reviewer: Client, admin: Client) -> None:
        self.bed, self.asker, self.reviewer, self.admin = bed, asker, reviewer, admin
        self.bound: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self.requests: dict[str, Json] = {}
        self._numbers = itertools.count(1)
        self._seen = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """On a bed of its own, which ends with it."""
        bed = await asyncio.to_thread(Bed.launch)
        try:
            await asyncio.to_thread(_prepare, bed)
            async with (
                Client(_connection(bed, "alice")) as asker,
                Client(_connection(bed, "bob")) as reviewer,
                Client(_connection(bed, "admin")) as admin,
                asyncio.TaskGroup() as group,
            ):
                scene = cls(bed, asker, reviewer, admin)
                await scene._policy()
                eyes = [group.create_task(scene._watch(kind)) for kind in (ROLE_BINDINGS, ACCESS_REQUESTS)]
                yield scene
                for eye in eyes:
                    eye.cancel()
        finally:
            await asyncio.to_thread(bed.stop)

    async def ask(self, count: int, seconds: int, **spec: object) -> list[str]:
        """So many requests, each for a subject of its own; returns their uids once each awaits its approval."""
        grant = spec if "rules" in spec else {"role": {"kind": "ClusterRole", "name": "view"}, **spec}

        async def one(number: int) -> str:
            body = {
                "apiVersion": ACCESS_REQUESTS.api_version,
                "kind": ACCESS_REQUESTS.kind,
                "metadata": {"name": f"bench-{number}"},
                "spec": {
                    "subject": {"kind": "User", "name": f"bench-{number}"},
                    "durationSeconds": seconds,
                    "reason": "A benchmark",
                    **grant,
                },
            }
            made = await self.asker.create(ACCESS_REQUESTS, body, NAMESPACE)
            return str(made["metadata"]["uid"])

        uids = await asyncio.gather(*(one(next(self._numbers)) for _ in range(count)))
        await self.until(
            lambda: all(self.state(uid) == "AwaitingApproval" for uid in uids), 60 + count / 10, "requests evaluated"
        )
        return uids

    async def approve(self, uid: str) -> float:
        """Approve as one person does; returns when the API server had acknowledged it."""
        name = self.requests[uid]["metadata"]["name"]
        review = {"status": {"review": {"decision": "Approve"}}}
        await self.reviewer.merge_patch(ACCESS_REQUESTS, name, review, NAMESPACE, "status")
        return time.time()

    def state(self, uid: str) -> str:
        """The reason of Ready, as last seen."""
        conditions = self.requests.get(uid, {}).get("status", {}).get("conditions", [])
        return next((one["reason"] for one in conditions if one["type"] == "Ready"), "")

    async def until(self, condition: Any, seconds: float, what: str) -> None:  # noqa: ANN401 - any callable
        """Wait for what the watches see; raises TimeoutError that says for what."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._seen.clear()
                    await self._seen.wait()
                    # Times are noted as events come; looking at a thousand requests at each of them would be the load.
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            text = f"not within {seconds:g} s: {what}\n{self.bed.logs()}"
            raise TimeoutError(text) from error

    def cpu_seconds(self) -> dict[str, float]:
        """What each process has used so far: theirs, ours and this one."""
        plane = self.bed.control_plane
        processes = {
            "kube-apiserver": plane.api_server,
            "etcd": plane.etcd,
            "kube-controller-manager": plane.controller_manager,
            "controller": self.bed.controller,
            "webhook": self.bed.webhook,
        }
        pids = {name: process.pid for name, process in processes.items()} | {"load": os.getpid()}
        return {name: _cpu_seconds(pid) for name, pid in pids.items()}

    async def _policy(self) -> None:
        await self.admin.create(APPROVAL_POLICIES, POLICY)
        await asyncio.sleep(2)

    async def _watch(self, resource: Any) -> None:  # noqa: ANN401
        _, version = await self.admin.list(resource, NAMESPACE)
        while True:
            try:
                stream = self.admin.watch(resource, version, NAMESPACE, silence_seconds=600)
                async with contextlib.aclosing(stream) as events:
                    async for kind, body in events:
                        version = body["metadata"]["resourceVersion"]
                        self._note(kind, body)
            except ApiError as error:
                print(f"watch {resource.plural}: {error}")

    def _note(self, kind: str, body: Json) -> None:
        now, metadata = time.time(), body["metadata"]
        if body["kind"] == ACCESS_REQUESTS.kind and "uid" in metadata:
            self.requests[metadata["uid"]] = body
        elif uid := metadata.get("labels", {}).get(LABEL):
            if kind == "ADDED":
                self.bound.setdefault(uid, now)
            elif kind == "DELETED":
                self.gone.setdefault(uid, now)
        self._seen.set()


def _cpu_seconds(pid: int | None) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _prepare(bed: Bed) -> None:
    bed.install({"grantableRules": [RULE]})
    bed.start()
    populate(bed, NAMESPACE)


def _connection(bed: Bed, user: str) -> Connection:
    plane, pair = bed.control_plane, bed.credentials(user).certificate
    if pair is None:
        text = f"{user} has no certificate"
        raise ValueError(text)
    return Connection(plane.server, plane.authority_file, client_certificate=pair.certificate, client_key=pair.key)


def seconds_of(uids: Sequence[str], since: dict[str, float], until: dict[str, float]) -> list[float]:
    """What lay between, of each."""
    return [until[uid] - since[uid] for uid in uids]
