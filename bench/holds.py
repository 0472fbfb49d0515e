"""P13: how soon a held pod is let go once its request is approved, of one and of five hundred."""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

from bench.figures import Figure, of_runs, spread
from bench.gated import gate_policy, open_with_people, settle
from bench.scene import Scene
from daypass.app.ports import ACCESS_REQUESTS, JOBS, PODS, ApiError, Json, Resource

NAMESPACE: Final = "held"
GATE: Final = "daypass.dev/approval"
PRIVILEGES: Final = ("HostPathVolumes",)
PAUSE_SECONDS: Final = 0.25
"""The API server makes its caches current for lists once in 100 ms."""


async def figures(scene: Scene, singles: int = 30, together: int = 500, rounds: int = 3) -> list[Figure]:
    """Both figures."""
    await asyncio.to_thread(_prepare, scene)
    async with asyncio.TaskGroup() as group:
        warden = Warden(scene)
        eyes = [group.create_task(warden.watch(kind)) for kind in (PODS, ACCESS_REQUESTS)]
        one = [await warden.one(f"single-{number}") for number in range(singles)]
        many = [await warden.many(f"crowd-{number}", together) for number in range(rounds)]
        for eye in eyes:
            eye.cancel()
    last, each = [seconds for seconds, _ in many], [cpu for _, cpu in many]
    middle = statistics.median(one)
    return [
        Figure(
            "P13",
            "approval acknowledged to a held pod's gate removed, idle",
            spread(one),
            "p50 ≤ 30 ms",
            middle <= 0.03,
        ),
        Figure(
            "P13",
            f"the same of {together} held pods of one owner, the last one",
            f"{of_runs(last, ' s')}; {of_runs(each, ' ms', 1000)} of controller CPU each",
            "≤ 3 s",
            statistics.median(last) <= 3,
        ),
    ]


class Warden:
    """Makes pods that are held, has them approved, and sees them go."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.held: set[str] = set()
        self.free: dict[str, float] = {}
        self.asked: dict[str, Json] = {}
        self._seen = asyncio.Event()

    async def one(self, name: str) -> float:
        """Seconds from the approval of a pod's own request."""
        await self.scene.admin.create(PODS, _pod(name), NAMESPACE)
        await self._until(lambda: name in self.held and bool(self._made_for(name)), f"pod {name} held and asked for")
        approved = await self._approve(self._made_for(name))
        await self._until(lambda: name in self.free, f"pod {name} let go")
        await asyncio.sleep(PAUSE_SECONDS)
        return self.free[name] - approved

    async def many(self, name: str, count: int) -> tuple[float, float]:
        """Seconds to the last of so many pods of a Job, and the controller's processor time for each."""
        template = {"spec": {**_pod(name)["spec"], "restartPolicy": "Never"}}
        job = {"metadata": {"name": name}, "spec": {"parallelism": count, "completions": count, "template": template}}
        await self.scene.admin.create(JOBS, job, NAMESPACE)
        pods = f"{name}-"
        await self._until(lambda: self._count(self.held, pods) == count, f"{count} pods of Job {name} held", 120)
        await self._ask(name, count)
        before = self.scene.cpu_seconds()["controller"]
        approved = await self._approve(name)
        await self._until(lambda: self._count(self.free, pods) == count, f"{count} pods of Job {name} let go", 120)
        used = self.scene.cpu_seconds()["controller"] - before
        return max(when for pod, when in self.free.items() if pod.startswith(pods)) - approved, used / count

    async def watch(self, resource: Resource) -> None:
        """Note what is seen, and when."""
        admin = self.scene.admin
        found, version = await admin.list(resource, NAMESPACE)
        for body in found:
            self._note(body)
        while True:
            with contextlib.suppress(ApiError):
                stream = admin.watch(resource, version, NAMESPACE, silence_seconds=600)
                async with contextlib.aclosing(stream) as events:
                    async for kind, body in events:
                        version = body["metadata"]["resourceVersion"]
                        if kind in {"ADDED", "MODIFIED"}:
                            self._note(body)

    def _note(self, body: Json) -> None:
        now, name = time.time(), body["metadata"]["name"]
        if body["kind"] == ACCESS_REQUESTS.kind:
            self.asked[name] = body
        elif any(gate["name"] == GATE for gate in body["spec"].get("schedulingGates") or ()):
            self.held.add(name)
        elif name in self.held:
            self.free.setdefault(name, now)
        self._seen.set()

    def _made_for(self, name: str) -> str:
        """The request that Daypass made for a pod, once it awaits its approval."""
        for request, body in self.asked.items():
            if body["spec"]["workload"]["privileges"] == [_privilege(name)] and _awaits(body):
                return request
        return ""

    async def _ask(self, name: str, pods: int) -> None:
        """What alice asks: the requests that Daypass makes are for a hundred pods."""
        body: dict[str, Any] = {
            "apiVersion": ACCESS_REQUESTS.api_version,
            "kind": ACCESS_REQUESTS.kind,
            "metadata": {"name": name},
            "spec": {
                "durationSeconds": 3600,
                "reason": "A benchmark",
                "workload": {
                    "serviceAccountName": "agent",
                    "privileges": [_privilege(name)],
                    "maxPods": pods,
                },
            },
        }
        await self.scene.asker.create(ACCESS_REQUESTS, body, NAMESPACE)
        await self._until(lambda: name in self.asked and _awaits(self.asked[name]), f"request {name} evaluated")

    async def _approve(self, request: str) -> float:
        review = {"status": {"review": {"decision": "Approve"}}}
        await self.scene.reviewer.merge_patch(ACCESS_REQUESTS, request, review, NAMESPACE, "status")
        return time.time()

    def _count(self, pods: set[str] | dict[str, float], prefix: str) -> int:
        return sum(pod.startswith(prefix) for pod in pods)

    async def _until(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._seen.clear()
                    await self._seen.wait()
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            text = f"not within {seconds:g} s: {what}\n{self.scene.bed.logs()}"
            raise TimeoutError(text) from error


def _prepare(scene: Scene) -> None:
    open_with_people(scene.bed, NAMESPACE)
    scene.bed.apply(gate_policy(NAMESPACE, PRIVILEGES, "Hold"))
    settle(scene.bed, NAMESPACE)


def _pod(name: str) -> Json:
    """With a directory of its own, so that each name is a cause of its own."""
    containers = [{"name": "it", "image": "registry.example/it:1", "command": ["sleep", "1"]}]
    volume = {"name": "node", "hostPath": {"path": _path(name), "type": ""}}
    spec = {"serviceAccountName": "agent", "containers": containers, "volumes": [volume]}
    return {"metadata": {"name": name}, "spec": spec}


def _path(name: str) -> str:
    return f"/var/log/{name}"


def _privilege(name: str) -> str:
    return f"HostPathVolumes:{_path(name)}"


def _awaits(body: Json) -> bool:
    conditions = body.get("status", {}).get("conditions", [])
    return any((one["type"], one["reason"]) == ("Ready", "AwaitingApproval") for one in conditions)
