"""The controller's writes of ``status.uses`` of permits in force: apart from its others, for webhooks write uses, too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from daypass.api.convert import use_json
from daypass.app.grants.requests import Entry, Requests
from daypass.app.ports import ACCESS_REQUESTS, ApiError, ConflictError, Objects
from daypass.domain.request import Request, Use

ATTEMPTS: Final = 4

Edit = Callable[[Request], Sequence[Use]]


@dataclass(frozen=True, slots=True)
class UsesWriter:
    """Compare-and-swap: webhooks add uses to the same list at any time."""

    objects: Objects
    requests: Requests

    async def write(self, entry: Entry, uses: Sequence[Use]) -> None:
        """Write the uses if the request is still as it is known; raises ConflictError when it is not (T34)."""
        patch = {
            "metadata": {"resourceVersion": entry.version, "uid": entry.uid},
            "status": {"uses": [use_json(use) for use in uses] or None},
        }
        namespace, _, name = entry.key.partition("/")
        self.requests.take(await self.objects.merge_patch(ACCESS_REQUESTS, name, patch, namespace, "status"))

    async def confirm(self, entry: Entry) -> None:
        """Return if the request is, at this moment, as it is known; raises ConflictError when it is not (T34)."""
        if await self.refresh(entry):
            message = "the request has changed"
            raise ConflictError(message)

    async def change(self, key: str, uid: str, edit: Edit) -> bool:
        """Change the uses whatever they are by now; whether anything was written. Raises ApiError."""
        for attempt in range(ATTEMPTS):
            entry = self.requests.get(key)
            if entry is None or entry.uid != uid or entry.slim is None:
                return False
            before = entry.slim.record.uses
            after = tuple(edit(entry.slim))
            if after == before:
                return False
            try:
                await self.write(entry, after)
            except ApiError as error:
                if not isinstance(error, ConflictError) and error.code != HTTPStatus.NOT_FOUND:
                    raise
                if attempt + 1 == ATTEMPTS:
                    raise
                await self.refresh(entry)
            else:
                return True
        return False

    async def refresh(self, entry: Entry) -> bool:
        """Read the request live; whether it is another than was known. Raises ApiError."""
        namespace, _, name = entry.key.partition("/")
        body = await self.objects.get(ACCESS_REQUESTS, name, namespace)
        if body is None or body["metadata"]["uid"] != entry.uid:
            self.requests.drop(entry.key, entry.uid)
            return True
        if body["metadata"]["resourceVersion"] == entry.version:
            return False
        self.requests.take(body)
        return True
