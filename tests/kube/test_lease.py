"""T38: candidates for one Lease on the real API server, and a fake API that fails them."""

import asyncio
import re
from typing import cast

import pytest

from daypass.app.ports import LEASES, Json, Resource
from daypass.kube.client import Client
from daypass.kube.clock import ServerClock
from daypass.kube.lease import Lease, LeaseLostError, Timing
from kube.fake import until

QUICK = Timing(duration=4, renew_deadline=3, retry=0.2)
PATIENT = Timing(duration=60, renew_deadline=50, retry=0.2)


def candidate(client: "Client | FakeFault", namespace: str, identity: str, timing: Timing = QUICK) -> Lease:
    objects = cast("Client", client)
    return Lease(objects, namespace, "daypass-controller", identity, clock=ServerClock(), timing=timing)


class FakeFault:
    """The real client until it is told to fail, hang, or lose the answer of a write that was made."""

    def __init__(self, inner: Client) -> None:
        self.inner = inner
        self.fault = ""
        self.renewals = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        await self._misbehave()
        return await self.inner.get(resource, name, namespace)

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        return await self.inner.create(resource, body, namespace)

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        await self._misbehave()
        made = await self.inner.replace(resource, name, body, namespace)
        if self.fault == "lose the answer":
            self.fault = ""
            raise ConnectionResetError
        self.renewals += 1
        return made

    async def _misbehave(self) -> None:
        if self.fault == "hang":
            await asyncio.sleep(60)
        if self.fault == "fail":
            raise KeyError("anything at all")


async def test_t38_second_candidate_leads_only_once_the_first_is_gone(client: Client, namespace: str) -> None:
    first, second = candidate(client, namespace, "one"), candidate(client, namespace, "two")
    await first.acquire()
    holding, waiting = asyncio.create_task(first.hold()), asyncio.create_task(second.acquire())
    await asyncio.sleep(QUICK.duration + 1)
    assert first.held()
    assert not waiting.done()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    await asyncio.wait_for(waiting, 60)
    assert second.held()
    assert not first.held()
    assert first.taken_over is None
    assert second.taken_over is not None
    assert second.taken_over["holderIdentity"] == "one"
    lease = await client.get(LEASES, "daypass-controller", namespace)
    assert lease
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"]) == ("two", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", lease["spec"]["renewTime"])


async def test_released_lease_is_taken_at_once(client: Client, namespace: str) -> None:
    first, second = candidate(client, namespace, "one", PATIENT), candidate(client, namespace, "two", PATIENT)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.5)
    await first.release()
    assert not first.held()
    await asyncio.wait_for(waiting, 60)
    assert second.taken_over is not None
    assert second.taken_over["holderIdentity"] == ""


async def test_t38_holder_whose_lease_was_taken_stops_at_the_next_renewal(client: Client, namespace: str) -> None:
    lease = candidate(client, namespace, "one", PATIENT)
    await lease.acquire()
    await client.merge_patch(LEASES, "daypass-controller", {"spec": {"holderIdentity": "thief"}}, namespace)
    with pytest.raises(LeaseLostError):
        await asyncio.wait_for(lease.hold(), PATIENT.renew_deadline / 2)
    assert not lease.held()


@pytest.mark.parametrize("fault", ["fail", "hang"])
async def test_t38_fake_api_that_fails_or_hangs_ends_leadership_by_the_deadline(
    client: Client, namespace: str, fault: str
) -> None:
    faulty = FakeFault(client)
    lease = candidate(faulty, namespace, "one", Timing(duration=10, renew_deadline=1.2, retry=0.2))
    await lease.acquire()
    started = asyncio.get_running_loop().time()
    faulty.fault = fault
    with pytest.raises(LeaseLostError, match="was not renewed"):
        await lease.hold()
    assert asyncio.get_running_loop().time() - started < 10
    assert not lease.held()


async def test_fake_lost_answer_of_a_renewal_does_not_cost_the_lease(client: Client, namespace: str) -> None:
    faulty = FakeFault(client)
    lease = candidate(faulty, namespace, "one", PATIENT)
    await lease.acquire()
    faulty.fault = "lose the answer"
    holding = asyncio.create_task(lease.hold())
    await until(lambda: not faulty.fault)
    after = faulty.renewals
    await until(lambda: faulty.renewals > after + 1)
    assert lease.held()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)


def test_timing_in_which_two_could_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="renew deadline < duration"):
        Timing(duration=10, renew_deadline=15, retry=2)
