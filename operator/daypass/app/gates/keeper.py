"""Keeps both configurations as the gates of the policies say: when a policy, the endpoint, or somebody changes them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from daypass.app.gates.budget import TOO_MUCH, unaffordable
from daypass.app.gates.configurations import CONFIGURATIONS, GATES, HOLDS, Configuration
from daypass.app.gates.endpoint import EndpointError, endpoints_from
from daypass.app.gates.entries import Entries, Terms, TooLongError, entries_of
from daypass.app.gates.kept import Kept, Webhooks
from daypass.app.policies.known import Policies
from daypass.app.ports import CLUSTER_ROLES, CONFIG_MAPS, Json, Objects, RefusedError
from daypass.domain import names
from daypass.domain.gate_bounds import Bounds
from daypass.domain.policy import Policy


class Told(Protocol):
    """Who hears of it."""

    def restored(self, configuration: Json, what: str) -> None:
        """Somebody had changed or deleted a configuration, and it is as it should be again."""
        ...

    def settled(self, policy: str) -> None:
        """Whether a policy's gate is in force is known, or has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy whose gate was dealt with, and what keeps it from being in force; empty where it is."""

    uid: str
    generation: int
    fault: str


class Keeper:
    """One pass at a time; whoever runs it repeats a pass that failed."""

    def __init__(self, objects: Objects, policies: Policies, bounds: Bounds, told: Told) -> None:
        self._objects, self._policies, self._told = objects, policies, told
        self._bounds = bounds
        self._endpoints: Mapping[str, Json] | None = None
        self._kept: Mapping[Configuration, Kept] = {one: Kept(objects, one) for one in CONFIGURATIONS}
        self._standings: dict[str, Standing] = {}

    def fault(self, policy: Policy) -> str | None:
        """What keeps a policy's gate from being in force; None while nobody has got to it yet."""
        standing = self._standings.get(policy.name)
        if standing is None or (standing.uid, standing.generation) != (policy.uid, policy.generation):
            return None
        return standing.fault

    def faults(self) -> int:
        """How many gates are not in force."""
        return sum(bool(one.fault) for one in self._standings.values())

    async def keep(self) -> None:
        """Bring both configurations to what they should be; raises ApiError, after which it is to be done again."""
        policies = [policy for policy in self._policies.readable() if policy.gate is not None]
        try:
            await self._keep(policies)
        except RefusedError as error:
            # What we may not even read, nobody keeps: every gate says so.
            self._settle(policies, {}, error.message)
            raise
        self._tell()

    async def _keep(self, policies: Collection[Policy]) -> None:
        owner = await self._objects.get(CLUSTER_ROLES, names.CONTROLLER)
        if owner is None:
            # With it go our permissions and both configurations: Daypass is being uninstalled.
            self._settle(policies, {}, f"there is no ClusterRole {names.CONTROLLER}: is Daypass being uninstalled?")
            return
        try:
            shared = Terms(await self._find_endpoints(), self._bounds)
        except EndpointError as error:
            self._settle(policies, {}, str(error))
            return
        for kept in self._kept.values():
            await kept.read()
        wanted, faults = self._wanted(policies, shared)
        refused = await self._bring(wanted, owner)
        self._settle(policies, {**refused, **faults})

    async def _find_endpoints(self) -> Mapping[str, Json]:
        """As setup says now, else as it said last: an address that nobody tells any more need not have changed."""
        found = await self._objects.get(CONFIG_MAPS, names.GATES_ENDPOINT_CONFIG_MAP, self._bounds.own_namespace)
        try:
            self._endpoints = endpoints_from(found)
        except EndpointError:
            if self._endpoints is None:
                raise
        return self._endpoints

    def _wanted(self, policies: Collection[Policy], shared: Terms) -> tuple[dict[str, Entries], dict[str, str]]:
        """What each policy's gate wants; where that can't be told it keeps what it has, and its fault is said."""
        wanted = {name: self._as_it_is(name, shared) for name in self._policies.unreadable}
        faults: dict[str, str] = {}
        for policy in policies:
            try:
                wanted[policy.name] = entries_of(policy, shared)
            except TooLongError as error:
                wanted[policy.name], faults[policy.name] = self._as_it_is(policy.name, shared), str(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the gates of the other policies must stand
                fault = f"its gate could not be computed: {type(error).__name__}: {error}"
                wanted[policy.name], faults[policy.name] = self._as_it_is(policy.name, shared), fault
        standing = {name: self._as_it_is(name, shared) for name in wanted}
        for name in unaffordable(wanted, standing):
            wanted[name], faults[name] = standing[name], TOO_MUCH
        return wanted, faults

    def _as_it_is(self, policy: str, shared: Terms) -> Entries:
        gates, holds = (self._kept[one].webhooks(policy, shared.endpoints[one.kind]) for one in (GATES, HOLDS))
        return Entries(gates, holds)

    async def _bring(self, wanted: Mapping[str, Entries], owner: Json) -> dict[str, str]:
        """Demand a hold before pods are held, and hold none any more before that is demanded no more.

        A pod that is held while nobody makes the request for it would wait for ever; one that is refused meanwhile
        is made again.
        """
        gates, holds = _of(GATES, wanted), _of(HOLDS, wanted)
        less = self._kept[HOLDS].without(holds)
        refused = {} if less is None else await self._kept[HOLDS].bring(less, owner)
        refused |= await self._kept[GATES].bring(gates, owner)
        return refused | await self._kept[HOLDS].bring(holds, owner)

    def _settle(self, policies: Collection[Policy], faults: Mapping[str, str], fault_of_all: str = "") -> None:
        before = self._standings
        self._standings = {
            policy.name: Standing(policy.uid, policy.generation, faults.get(policy.name, fault_of_all))
            for policy in policies
        }
        for name, standing in self._standings.items():
            if before.get(name) != standing:
                self._told.settled(name)

    def _tell(self) -> None:
        for kept in self._kept.values():
            if kept.disturbance and kept.live is not None:
                self._told.restored(kept.live, kept.disturbance)
            kept.disturbance = ""


def _of(configuration: Configuration, wanted: Mapping[str, Entries]) -> dict[str, Webhooks]:
    return {name: entries.of(configuration.kind) for name, entries in wanted.items()}
