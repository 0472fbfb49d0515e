"""P4: what the gate costs whoever creates pods through the API server, by server-side dry run.

Two control planes stand side by side, one without Daypass, and are called in turn: so what the machine does meanwhile
falls on all alike. A ValidatingAdmissionPolicy of the same meaning, written by hand, is the measure of what the API
server can do by itself; unlike a gate it knows of no approvals.
"""

import asyncio
import contextlib
import json
import statistics
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from bed import Bed
from bench import samples
from bench.figures import Figure, of_runs, say
from bench.gated import gate_policy, open_namespace, settle
from bench.load import Generator, Plan, Result

Json = dict[str, Any]

ROUNDS: Final = 5
SECONDS: Final = 2.5
CLIENTS: Final = 8
PRIVILEGES: Final = ("Capabilities", "HostNamespaces", "HostPathVolumes", "PrivilegedContainers")
_CAPABILITIES: Final = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
    *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
_EACH: Final = "variables.containers.all(c, !has(c.securityContext) || {})"
_RULES: Final = (
    " && ".join(
        f"!(has(object.spec.{field}) && object.spec.{field})" for field in ("hostNetwork", "hostPID", "hostIPC")
    ),
    "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.hostPath))",
    _EACH.format("!has(c.securityContext.privileged) || !c.securityContext.privileged"),
    _EACH.format(
        "!has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add) ||"
        f" c.securityContext.capabilities.add.all(name, name in {list(_CAPABILITIES)})"
    ),
)


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace in which pods are created."""

    name: str
    bed: Bed
    namespace: str


async def figures() -> list[Figure]:
    """All of P4."""
    generator = await asyncio.to_thread(Generator.built)
    async with _places() as places:
        found: dict[str, list[Result]] = {place.name: [] for place in places}
        for number in range(ROUNDS + 1):
            for place in places:
                result = await generator.run(_plan(place), pinned=False)
                if number:  # the first round warms up all of them
                    found[place.name].append(result)
    return list(say(*_figures(found)))


def _figures(found: Mapping[str, Sequence[Result]]) -> list[Figure]:
    none, policy, gate, held, free = (found[name] for name in ("none", "policy", "gate", "held", "free"))
    of_none, of_policy = _ratio(gate, none), _ratio(gate, policy)
    slower = _middle([one.p50 for one in gate]) / _middle([one.p50 for one in policy])
    as_fast = _ratio(free, none)
    what = f"pod creates by dry run, {CLIENTS} clients"
    told = f"; {of_none:.2f} times the rate without, {of_policy:.2f} times the policy's, p50 {slower:.2f} times the policy's"
    goal = "≥ 0.62 times the rate without, ≥ 0.88 times the policy's; p50 ≤ 1.15 times the policy's"
    return [
        Figure("P4", f"{what}: without any webhook", _told(none), ""),
        Figure("P4", f"{what}: with a ValidatingAdmissionPolicy of the same meaning", _told(policy), ""),
        Figure(
            "P4",
            f"{what}: with a gate that refuses",
            _told(gate) + told,
            goal,
            of_none >= 600 / 969 and of_policy >= 600 / 681 and slower <= 1.15,
        ),
        Figure(
            "P4",
            f"{what}: with a gate that holds (asked twice)",
            f"{_told(held)}; {_ratio(held, none):.2f} times the rate without",
            "",
        ),
        Figure(
            "P4",
            f"{what}: Daypass installed, no gate for them",
            f"{_told(free)}; {as_fast:.2f} times the rate without",
            "as without",
            as_fast >= 0.95,
        ),
    ]


def _told(results: Sequence[Result]) -> str:
    return f"{of_runs([one.rate for one in results], '/s')}, p50 {of_runs([one.p50 for one in results], ' ms', 1000)}"


def _ratio(ours: Sequence[Result], theirs: Sequence[Result]) -> float:
    """Of the rates, round by round: what disturbed one disturbed its neighbour."""
    return _middle([one.rate / other.rate for one, other in zip(ours, theirs, strict=True)])


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)


@contextlib.asynccontextmanager
async def _places() -> AsyncIterator[list[Place]]:
    beds: list[Bed] = []
    try:
        bare = await asyncio.to_thread(Bed.launch)
        beds.append(bare)
        ours = await asyncio.to_thread(Bed.launch)
        beds.append(ours)
        await asyncio.to_thread(_prepare_bare, bare)
        await asyncio.to_thread(_prepare_ours, ours)
        places = [  # those that are compared are neighbours, each after a turn of the other control plane
            Place("none", bare, "plain"),
            Place("free", ours, "free"),
            Place("policy", bare, "judged"),
            Place("gate", ours, "gated"),
            Place("held", ours, "held"),
        ]
        for place in places:
            await asyncio.to_thread(_check, place)
        yield places
    finally:
        for bed in beds:
            await asyncio.to_thread(bed.stop)


def _prepare_bare(bed: Bed) -> None:
    for namespace in ("plain", "judged"):
        open_namespace(bed, namespace)
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods"]}
    lists = ("containers", "initContainers", "ephemeralContainers")
    containers = " + ".join(f"(has(object.spec.{one}) ? object.spec.{one} : [])" for one in lists)
    agents = "object.spec.serviceAccountName == 'agent' || request.userInfo.username.endsWith(':agent')"
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "agents", "expression": agents}],
        "variables": [{"name": "containers", "expression": containers}],
        "validations": [{"expression": one} for one in _RULES],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "judged"}}
    binding = {
        "policyName": "privileges",
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": selector},
    }
    for kind, body in (("ValidatingAdmissionPolicy", spec), ("ValidatingAdmissionPolicyBinding", binding)):
        bed.apply(
            {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": "privileges"},
                "spec": body,
            }
        )


def _prepare_ours(bed: Bed) -> None:
    bed.install()
    bed.start()
    for namespace in ("gated", "held", "free"):
        open_namespace(bed, namespace)
    for namespace, missing in (("gated", "Deny"), ("held", "Hold")):
        bed.apply(gate_policy(namespace, PRIVILEGES, missing))
    settle(bed, "gated", "held")


def _check(place: Place) -> None:
    """A harmless pod passes, and one that mounts the node's logs does as the place says."""

    def done() -> bool:
        harmless = _post(place, samples.spec())
        other = _post(place, samples.spec("agent", samples.HOST_PATH))
        expected = HTTPStatus.CREATED if place.name in {"none", "held", "free"} else None
        refused = {HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY}
        return harmless == HTTPStatus.CREATED and (other == expected if expected else other in refused)

    place.bed.wait_until(done, 30, f"namespace {place.namespace} as it should be")


def _post(place: Place, spec: Json) -> int:
    path = f"/api/v1/namespaces/{place.namespace}/pods?dryRun=All"
    return place.bed.request("POST", path, {"metadata": {"generateName": "web-"}, "spec": spec}).status


def _plan(place: Place) -> Plan:
    plane = place.bed.control_plane
    pair = place.bed.credentials("admin").certificate
    assert pair is not None
    file = place.bed.folder / f"{place.namespace}.json"
    body = {"metadata": {"generateName": "web-", "labels": {"app": "web"}}, "spec": samples.spec()}
    file.write_text(json.dumps(body, separators=(",", ":")))
    return Plan(
        address=plane.server.removeprefix("https://"),
        authority=plane.authority_file,
        path=f"/api/v1/namespaces/{place.namespace}/pods?dryRun=All",
        bodies=[file],
        wanted=['"kind":"Pod"'],
        connections=CLIENTS,
        seconds=SECONDS,
        warm_seconds=0.5,
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        certificate=pair.certificate,
        key=pair.key,
    )
