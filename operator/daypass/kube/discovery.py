"""Which resources the API server serves: asked where a kind is known only by the name that somebody wrote.

Answers are kept for a while, refusals too: owner references name what they like, and every pod may name another kind.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from daypass.app.ports import Json, RefusedError, Resource
from daypass.kube.client import Client

LASTING_SECONDS: Final = 300.0
REMEMBERED: Final = 256
CORE: Final = "v1"


class Discovery:
    """Implements ``app.ports.Kinds``."""

    def __init__(self, client: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client, self._monotonic = client, monotonic
        self._served: dict[tuple[str, str], tuple[float, Json | None]] = {}

    async def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """As ``Kinds.of_kind``."""
        group, _, version = api_version.rpartition("/")
        found = await self._resources(group, version)
        return next((_resource(group, version, one) for one in found if one.get("kind") == kind), None)

    async def of_plural(self, group: str, plural: str) -> Resource | None:
        """As ``Kinds.of_plural``."""
        version = CORE if not group else await self._preferred(group)
        found = await self._resources(group, version) if version else []
        return next((_resource(group, version, one) for one in found if one.get("name") == plural), None)

    async def _preferred(self, group: str) -> str:
        answer = await self._ask(group, "")
        return str(((answer or {}).get("preferredVersion") or {}).get("version") or "")

    async def _resources(self, group: str, version: str) -> Sequence[dict[str, Any]]:
        """The resources themselves; their subresources have a slash in the name, and often another's kind."""
        answer = await self._ask(group, version)
        return [one for one in (answer or {}).get("resources") or [] if "/" not in one.get("name", "/")]

    async def _ask(self, group: str, version: str) -> Json | None:
        key, now = (group, version), self._monotonic()
        known = self._served.get(key)
        if known is not None and now - known[0] < LASTING_SECONDS:
            return known[1]
        try:
            answer = await self._client.served(group, version)
        except RefusedError:
            answer = None  # no group can have such a name
        self._served.pop(key, None)
        self._served[key] = (now, answer)
        if len(self._served) > REMEMBERED:
            del self._served[next(iter(self._served))]
        return answer


def _resource(group: str, version: str, found: Json) -> Resource:
    return Resource(group, version, found["name"], found["kind"], namespaced=bool(found["namespaced"]))
