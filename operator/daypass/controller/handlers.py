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
        def event(event: Mapping[str, Any], **_: object) -> None:
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
    found.process.ultimate_exiting_timeout = None
    return found
