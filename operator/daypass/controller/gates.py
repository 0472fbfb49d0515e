"""The leader keeps the gates' webhook configurations: at each news of a policy, of setup, or of somebody's change."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog

from daypass.app.gates.configurations import CONFIGURATIONS
from daypass.app.gates.keeper import Keeper
from daypass.app.policies.known import Policies
from daypass.app.ports import CONFIG_MAPS, AlreadyExistsError, ApiError, ConflictError, Json, Objects
from daypass.domain import names
from daypass.domain.gate_bounds import Bounds
from daypass.kube.cache import Cache
from daypass.kube.client import Client
from daypass.kube.events import Recorder
from daypass.observe import metrics

GATHER_SECONDS: Final = 0.02
"""News that come together are one pass: twenty policies applied at once are one change of the configurations."""
PATROL_SECONDS: Final = 60.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

log = structlog.get_logger(__name__)


class GateKeeping:
    """Watches, tells the keeper, and tells the world of it; implements ``app.gates.keeper.Told``."""

    def __init__(
        self,
        client: Client,
        objects: Objects,
        policies: Policies,
        recorder: Recorder,
        bounds: Bounds,
        settled: Callable[[str], None],
    ) -> None:
        """``settled`` hears the name of each policy whose gate came into force, or can't."""
        self.keeper = Keeper(objects, policies, bounds, self)
        self._recorder, self._on_settled = recorder, settled
        self._news = asyncio.Event()

        def heard(_key: str, _old: str | None, _new: str | None) -> None:
            self.changed()

        # By name alone, so that RBAC need not let us read, or watch, any other.
        self.caches: tuple[Cache[Any], ...] = (
            *(
                Cache(client, one.resource, keep=_version, changed=heard, field_selector=f"metadata.name={one.name}")
                for one in CONFIGURATIONS
            ),
            Cache(
                client,
                CONFIG_MAPS,
                keep=_version,
                changed=heard,
                namespace=bounds.own_namespace,
                field_selector=f"metadata.name={names.GATES_ENDPOINT_CONFIG_MAP}",
            ),
        )
        for cache, name in zip(self.caches, ("gates", "holds", "gatesendpoint"), strict=True):
            metrics.follow_cache(name, cache.__len__, cache.faults.__len__, cache.silent_seconds)

    def changed(self) -> None:
        """Something that the configurations follow from, or they themselves, may have changed."""
        self._news.set()

    async def run(self) -> None:
        """Keep them until cancelled; what fails is done again, later each time."""
        pause = FIRST_PAUSE
        while True:
            self._news.clear()
            try:
                await self.keeper.keep()
            except (ConflictError, AlreadyExistsError):
                self._news.set()  # somebody wrote at the same time: look again
            except ApiError as error:
                log.warning("gates can't be kept, will try again", error=error.message, code=error.code)
                metrics.gates_not_in_force.set(self.keeper.faults())
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            metrics.gates_not_in_force.set(self.keeper.faults())
            with suppress(TimeoutError):
                async with asyncio.timeout(PATROL_SECONDS):
                    await self._news.wait()
            await asyncio.sleep(GATHER_SECONDS)

    def restored(self, configuration: Json, what: str) -> None:
        """As ``Told.restored``."""
        name = configuration["metadata"]["name"]
        metrics.gates_restored.labels(name).inc()
        note = f"{what}, and is again as the gates of the policies say"
        log.warning("gates restored", configuration=name, what=what)
        self._recorder.publish(configuration, "GatesRestored", note, warning=True)

    def settled(self, policy: str) -> None:
        """As ``Told.settled``."""
        self._on_settled(policy)


def _version(body: Json) -> str:
    return str(body["metadata"]["resourceVersion"])
