"""What tests and the demo hold in their hands: a control plane, its users, and Daypass on it."""

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest

from bed import binaries, install, ports
from bed.control_plane import ControlPlane
from bed.daypass import controller_process, webhook_process
from bed.endpoint import Endpoint, RefusedError
from bed.folders import BedFolder
from bed.http import Response
from bed.processes import Process
from bed.users import AGENT, DEMO_NAMESPACE, PEOPLE, Context, Credentials, kubeconfig

_KUBECTL_SECONDS = 120
T = TypeVar("T")


class Bed:
    """A control plane and how to use it.

    Everywhere ``user`` is one of the people of ``users.PEOPLE``, or a ServiceAccount as ``NAMESPACE/NAME``
    (``agent`` alone is ``demo/agent``); tokens are minted when first used.
    """

    def __init__(self, endpoint: Endpoint, host: str = "127.0.0.1") -> None:
        """``host`` is where our processes listen: an address of this machine that the API server reaches."""
        self.endpoint = endpoint
        self.folder = endpoint.folder
        self._tokens: dict[str, Credentials] = {}
        webhook_port, webhook_health, self.controller_health = ports.reserve(3)
        self.webhook_url = f"https://{host}:{webhook_port}"
        self._webhook_addresses = (f"{host}:{webhook_port}", f"127.0.0.1:{webhook_health}")
        self._controller: Process | None = None
        self._webhook: Process | None = None

    @classmethod
    def launch(cls, folder: BedFolder | None = None) -> Self:
        """A control plane without Daypass, in a folder of its own."""
        return cls(ControlPlane.launch(folder or BedFolder.fresh(), binaries.locate()))

    @property
    def control_plane(self) -> ControlPlane:
        """The control plane, where it is ours to restart and to read the audit log of; else the test is skipped."""
        if isinstance(self.endpoint, ControlPlane):
            return self.endpoint
        pytest.skip("needs a control plane of its own")

    @property
    def controller(self) -> Process:
        """``daypass controller`` under its ServiceAccount, on this host."""
        if self._controller is None:
            self._controller = controller_process(self.endpoint, f"127.0.0.1:{self.controller_health}")
        return self._controller

    @property
    def webhook(self) -> Process:
        """``daypass webhook`` under its ServiceAccount, on this host."""
        if self._webhook is None:
            self._webhook = webhook_process(self.endpoint, *self._webhook_addresses)
        return self._webhook

    def install(self, values: Mapping[str, object] | None = None) -> None:
        """The chart and ``daypass setup``; starts no process. Again: an upgrade."""
        install.install_chart(self.endpoint, self.webhook_url, values)
        install.run_setup(self.endpoint, self.webhook_url)
        install.mount_secrets(self.endpoint)

    def start(self) -> None:
        """Start webhook and controller and return when both are ready."""
        self.webhook.start()
        self.controller.start()
        self.webhook.wait_ready()
        self.controller.wait_ready()

    def stop(self) -> None:
        """End everything and leave nothing behind."""
        for process in (self._controller, self._webhook):
            if process is not None:
                process.kill()
        self.endpoint.stop()

    def credentials(self, user: str) -> Credentials:
        """How this user proves who they are."""
        if user in PEOPLE:
            return self.endpoint.people[user]
        name = f"{DEMO_NAMESPACE}/{AGENT}" if user == AGENT else user
        if name not in self._tokens:
            namespace, _, account = name.partition("/")
            self._tokens[name] = Credentials(token=self.endpoint.mint_token(namespace, account))
        return self._tokens[name]

    def token(self, namespace: str, serviceaccount: str) -> str:
        """A token of that ServiceAccount, for 30 days."""
        return self.credentials(f"{namespace}/{serviceaccount}").token

    def kubeconfig(self, user: str = "admin") -> Path:
        """A kubeconfig with this user alone."""
        path = self.folder / "kubeconfigs" / f"{user.replace('/', '_')}.json"
        path.parent.mkdir(exist_ok=True)
        namespace = user.partition("/")[0] if "/" in user else "default"
        context = Context(user, self.credentials(user), namespace)
        server, authority = self.endpoint.server, self.endpoint.authority_file
        path.write_text(kubeconfig(server, authority, [context], user))
        return path

    def kubectl(
        self,
        *args: str,
        user: str = "admin",
        input: str | None = None,  # noqa: A002 - as subprocess.run names it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Kubectl as that user; with ``check`` a failure raises AssertionError with everything that it printed."""
        command = [str(self.endpoint.binaries.kubectl), "--kubeconfig", str(self.kubeconfig(user)), *args]
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            command, input=input, env=environment, capture_output=True, text=True, check=False, timeout=_KUBECTL_SECONDS
        )
        if check and done.returncode != 0:
            message = f"kubectl {' '.join(args)} (as {user}) ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            raise AssertionError(message)
        return done

    def apply(self, body: Mapping[str, Any]) -> None:
        """Make one object, or those of a List, so as admin; AssertionError with what the API server says."""
        try:
            self.endpoint.apply(body)
        except RefusedError as error:
            raise AssertionError(str(error)) from error

    def kubectl_apply(
        self, manifest: Mapping[str, Any] | str, user: str = "admin", *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """``kubectl apply -f -`` of YAML or of one object."""
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.kubectl("apply", "-f", "-", user=user, input=text, check=check)

    def get(self, kind: str, name: str, namespace: str = "", user: str = "admin") -> dict[str, Any] | None:
        """One object, or None when there is none; ``kind`` as kubectl knows it."""
        found = self.endpoint.kinds.named(kind)
        if found is None:
            return None
        answer = self.request("GET", found.path(name, namespace), user=user)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise AssertionError(answer.message)
        return dict(answer.json)

    def request(
        self, method: str, path: str, body: object = None, user: str = "admin", headers: Mapping[str, str] | None = None
    ) -> Response:
        """One raw HTTP request as that user. ``user=""`` sends no credentials at all."""
        credentials = self.credentials(user) if user else Credentials()
        return self.endpoint.request(method, path, body, credentials, headers)

    def audit_events(self, about: str = "") -> list[dict[str, Any]]:
        """The API server's audit log so far, of what has that text in it: a namespace, a name."""
        return self.control_plane.audit_events(about)

    def wait_until(self, condition: Callable[[], T | None], timeout: float = 60.0, what: str = "") -> T:
        """The first truthy value of ``condition``; raises AssertionError, with the end of our logs, after the timeout."""
        began = time.monotonic()
        while True:
            value = condition()
            if value:
                return value
            waited = time.monotonic() - began
            if waited > timeout:
                message = (
                    f"not within {timeout:g} s: {what or getattr(condition, '__name__', condition)}\n{self.logs()}"
                )
                raise AssertionError(message)
            time.sleep(min(0.05 + waited / 20, 0.25))  # whoever waits long needs no haste, and asking costs a core

    def logs(self, characters: int = 2500) -> str:
        """The ends of the logs of our own processes."""
        ours = {"controller": self._controller, "webhook": self._webhook}
        return "\n".join(f"--- {name}\n{it.log[-characters:]}" for name, it in ours.items() if it is not None)
