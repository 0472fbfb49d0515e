"""kopf: what happens to requests and policies, handed on at once.

Only ``on.event``, so that kopf adds neither finalizers nor annotations: what is to be done is decided from what is
there, not from what changed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import kopf

from daypass.app.ports import ACCESS_REQUESTS, APPROVAL_POLICIES, Json, Resource
from daypass.kube.connection import Connection

Heard = Callable[[Resource, Json, bool], None]

WATCH_SECONDS: Final = 240
CONNECT_SECONDS: Final = 10.0


class NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared with what was: kopf would copy and strip every object for it, half of its cost."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Nothing."""
        return kopf.BodyEssence({})

    def fetch(self, **_: object) -> kopf.BodyEssence | None:
        """Nothing."""
        return None

    def store(self, **_: object) -> None:
        """Do nothing."""


class NoProgress(kopf.ProgressStorage):
    """No handler keeps a state, so none is looked for in the objects."""

    def fetch(self, **_: object) -> None:
        """Nothing."""

    def store(self, **_: object) -> None:
        """Do nothing."""

    def purge(self, **_: object) -> None:
        """Do nothing."""

    def touch(self, **_: object) -> None:
        """Do nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """As it is."""
        return essence


def registry(connection: Connection, heard: Heard) -> kopf.OperatorRegistry:
    """The handlers; ``heard(resource, body, gone)``."""
    found = kopf.OperatorRegistry()

    @kopf.on.login(registry=found)
    def login(**_: object) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(
            server=connection.server,
            ca_path=str(connection.ca_file) if connection.ca_file else None,
            token=connection.token() or None,
            certificate_path=str(connection.client_certificate) if connection.client_certificate else None,
            private_key_path=str(connection.client_key) if connection.client_key else None,
        )

    def watch(resource: Resource) -> None:
        @kopf.on.event(resource.group, resource.version, resource.plural, registry=found)
        async def event(event: Mapping[str, Any], **_: object) -> None:
            heard(resource, event["object"], event["type"] == "DELETED")

    watch(ACCESS_REQUESTS)
    watch(APPROVAL_POLICIES)
    return found


def settings() -> kopf.OperatorSettings:
    """Kopf as a watcher only: no peering, no posted Events, no scanning, and no stream that hangs for ever."""
    found = kopf.OperatorSettings()
    found.peering.standalone = True
    found.posting.enabled = False
    found.scanning.disabled = True
    found.watching.server_timeout = WATCH_SECONDS
    found.watching.client_timeout = WATCH_SECONDS + 60
    found.watching.connect_timeout = CONNECT_SECONDS
    found.watching.chunk_size = 500
    found.queueing.idle_timeout = 1.0
    found.queueing.exit_timeout = 1.0
    found.persistence.diffbase_storage = NoDiffs()
    found.persistence.progress_storage = NoProgress()
    found.process.ultimate_exiting_timeout = None
    return found
