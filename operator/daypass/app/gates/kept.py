"""One webhook configuration that is kept as it should be, whoever else changes it (T46).

It is read live and written whole, with a precondition, in one step: what was gated before and is gated after is gated
in between too. What one policy wants and the API server refuses keeps the others from nothing.
"""

from collections.abc import Mapping
from typing import Any

from daypass.app.gates.configurations import Configuration, body, essence
from daypass.app.gates.entries import stem, stem_of
from daypass.app.ports import Json, Objects, RefusedError

Webhooks = tuple[Json, ...]


class Kept:
    """What is there, and what we left there."""

    def __init__(self, objects: Objects, configuration: Configuration) -> None:
        self.configuration = configuration
        self.disturbance = ""
        """What others did to it since we left it, in words; empty when nothing, or when we were not there yet."""
        self._objects = objects
        self._live: Json | None = None
        self._asked: Mapping[str, Any] | None = None
        """What we last asked for and got, and, as ``_left``, what the API server made of it."""
        self._left: Mapping[str, Any] | None = None
        self._sent: Mapping[str, Any] | None = None
        """What we last asked for; where no answer came, it may be there all the same."""

    async def read(self) -> None:
        """Look at it as it is now; raises ApiError."""
        self._live = await self._objects.get(self.configuration.resource, self.configuration.name)
        if self._left is None or (self._live is not None and essence(self._live) in (self._left, self._sent)):
            return
        self.disturbance = "it was deleted" if self._live is None else f"it was changed{_by_whom(self._live)}"

    def webhooks(self, policy: str, client_config: Json) -> Webhooks:
        """Those that are there for a policy, pointed at where we are now."""
        mine = stem(policy)
        return tuple(
            {**webhook, "clientConfig": client_config} for webhook in self._webhooks() if stem_of(webhook) == mine
        )

    def without(self, wanted: Mapping[str, Webhooks]) -> dict[str, Webhooks] | None:
        """What is there less all that is not wanted any more; None where that is nothing."""
        wanted_names = {webhook["name"] for webhooks in wanted.values() for webhook in webhooks}
        there = self._webhooks()
        staying = [webhook for webhook in there if webhook["name"] in wanted_names]
        if len(staying) == len(there):
            return None
        return {policy: tuple(webhook for webhook in staying if stem_of(webhook) == stem(policy)) for policy in wanted}

    async def bring(self, wanted: Mapping[str, Webhooks], owner: Json) -> dict[str, str]:
        """Make it hold these webhooks, by policy; the policies whose webhooks were refused, with the reason.

        Raises ConflictError or AlreadyExistsError when somebody wrote meanwhile: read again.
        """
        if self._holds(wanted, owner):
            return {}
        try:
            await self._write(wanted, owner)
        except RefusedError as error:
            return await self._bring_one_by_one(wanted, owner, error.message)
        return {}

    async def _bring_one_by_one(self, wanted: Mapping[str, Webhooks], owner: Json, refusal: str) -> dict[str, str]:
        """What a policy had stays until it gets something else: a gate that is refused uncovers nothing."""
        gated = {name: webhooks for name, webhooks in wanted.items() if webhooks}
        standing = {name: self.webhooks(name, webhooks[0]["clientConfig"]) for name, webhooks in gated.items()}
        faults: dict[str, str] = {}
        for name in [name for name in gated if standing[name] != gated[name]]:
            try:
                await self._write({**standing, name: gated[name]}, owner)
            except RefusedError as error:
                faults[name] = error.message
            else:
                standing[name] = gated[name]
        if not self._holds(standing, owner):
            try:
                await self._write(standing, owner)
            except RefusedError:
                return dict.fromkeys(gated, refusal)
        return faults

    def _holds(self, wanted: Mapping[str, Webhooks], owner: Json) -> bool:
        asked = essence(self._body(wanted, owner))
        if self._live is None:
            # Nothing gated, nothing there, and nobody took anything away: no object is needed for that.
            return not asked["webhooks"] and self._left is None
        found = essence(self._live)
        # What the API server made of what we asked for is ours too, even where it is not the same.
        same = found == asked or (asked == self._asked and found == self._left)
        if same:
            self._asked, self._left = asked, found
        return same

    async def _write(self, wanted: Mapping[str, Webhooks], owner: Json) -> None:
        asked = self._body(wanted, owner)
        resource, name = self.configuration.resource, self.configuration.name
        self._sent = essence(asked)
        if self._live is None:
            self._live = await self._objects.create(resource, asked)
        else:
            metadata = self._live["metadata"]
            kept = {key: metadata[key] for key in ("annotations", "resourceVersion", "uid") if key in metadata}
            whole = {**asked, "metadata": {**asked["metadata"], **kept}}
            self._live = await self._objects.replace(resource, name, whole)
        self._asked, self._left = self._sent, essence(self._live)

    def _body(self, wanted: Mapping[str, Webhooks], owner: Json) -> dict[str, Any]:
        webhooks = [webhook for name in sorted(wanted) for webhook in wanted[name]]
        return body(self.configuration, webhooks, owner)

    def _webhooks(self) -> list[Json]:
        return [] if self._live is None else list(self._live.get("webhooks") or [])

    @property
    def live(self) -> Json | None:
        """As last seen or written."""
        return self._live


def _by_whom(live: Json) -> str:
    """The program that wrote last, as it calls itself: a hint for whoever looks into it, no more."""
    fields = [one for one in live["metadata"].get("managedFields") or [] if one.get("time")]
    last = max(fields, key=lambda one: str(one["time"]), default=None)
    return f" by {last['manager']}" if last is not None and last.get("manager") else ""
