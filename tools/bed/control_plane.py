"""etcd, kube-apiserver and kube-controller-manager on loopback, as close to a real cluster as tests need."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from bed import audit, ports
from bed.binaries import Binaries
from bed.endpoint import Endpoint
from bed.folders import BedFolder
from bed.pki import Authority, KeyPair, service_account_key
from bed.processes import Process
from bed.users import PEOPLE, Context, Credentials, kubeconfig

_STOP_SECONDS = 5.0


class ControlPlane(Endpoint):
    """One control plane with all its files in one folder. ``start`` to ready takes some 5 s on two cores."""

    def __init__(self, folder: BedFolder, binaries: Binaries) -> None:
        etcd_port, peer_port, self._port = ports.reserve(3)
        pki = folder.path / "pki"
        authority = Authority(pki)
        super().__init__(folder.path, binaries, f"https://127.0.0.1:{self._port}", authority.pair.certificate)
        self._owner = folder
        self.people = {name: Credentials(authority.user(name, groups)) for name, groups in PEOPLE.items()}
        admin = Context("admin", self.people["admin"])
        self.admin_kubeconfig.write_text(kubeconfig(self.server, self.authority_file, [admin]))
        self.etcd = self._etcd(etcd_port, peer_port)
        self.api_server = self._api_server(authority, f"http://127.0.0.1:{etcd_port}", service_account_key(pki))
        self.controller_manager = self._controller_manager(authority, pki / "service-account.key")

    @classmethod
    def launch(cls, folder: BedFolder, binaries: Binaries) -> Self:
        """A running one."""
        control_plane = cls(folder, binaries)
        try:
            control_plane.start()
        except BaseException:
            control_plane.stop()
            raise
        return control_plane

    def start(self) -> None:
        """Start all three and return when the API server is ready (RBAC's own roles are there then, too)."""
        self.etcd.start()
        self.etcd.wait_ready()
        self.api_server.start()
        self.api_server.wait_ready()
        self.controller_manager.start()
        self.controller_manager.wait_ready()

    def restart_api_server(self, *, abruptly: bool = True) -> None:
        """Stop it (abruptly: SIGKILL, every watch is cut) and start it on the same port; returns when it is ready."""
        if abruptly:
            self.api_server.kill()
        else:
            self.api_server.terminate(_STOP_SECONDS)
        self.api_server.start()
        self.api_server.wait_ready()

    def stop(self) -> None:
        """End everything and delete the folder."""
        self.connections.close()
        for process in (self.controller_manager, self.api_server, self.etcd):
            process.kill()
        self._owner.remove()

    def audit_events(self, about: str = "") -> list[dict[str, Any]]:
        """The audit log so far, of what has that text in it."""
        return audit.events(self.folder / "audit.log", about)

    def _etcd(self, port: int, peer_port: int) -> Process:
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
        options = {
            "name": "bed",
            "data-dir": self.folder / "etcd",
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"bed={peer}",
            "unsafe-no-fsync": "true",  # the data dies with the bed
            "log-level": "warn",
        }

        def ready() -> bool:
            with suppress(URLError, OSError), urlopen(f"{client}/health", timeout=1) as answer:  # noqa: S310 - loopback
                return bool(answer.status == HTTPStatus.OK)
            return False

        return self._process(self.binaries.etcd, options, "etcd", ready)

    def _api_server(self, authority: Authority, etcd: str, tokens: KeyPair) -> Process:
        serving = authority.server("api-server")
        audit.write_policy(self.folder / "audit-policy.json")
        options = {
            "etcd-servers": etcd,
            "bind-address": "127.0.0.1",
            "secure-port": self._port,
            "endpoint-reconciler-type": "none",  # refuses loopback
            "service-cluster-ip-range": "10.0.0.0/24",
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "client-ca-file": authority.pair.certificate,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": tokens.certificate,
            "service-account-signing-key-file": tokens.key,
            "service-account-extend-token-expiration": "false",
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "audit-policy-file": self.folder / "audit-policy.json",
            "audit-log-path": self.folder / "audit.log",
            "audit-log-mode": "blocking-strict",
            "profiling": "false",
        }

        def ready() -> bool:
            with suppress(OSError):
                return self.request("GET", "/readyz").status == HTTPStatus.OK
            return False

        return self._process(self.binaries.kube_apiserver, options, "kube-apiserver", ready)

    def _controller_manager(self, authority: Authority, token_key: Path) -> Process:
        identity = Credentials(authority.user("system:kube-controller-manager", file_name="controller-manager"))
        config = self.folder / "controller-manager.kubeconfig"
        context = Context("controller-manager", identity)
        config.write_text(kubeconfig(self.server, self.authority_file, [context], context.name))
        (port,) = ports.reserve(1)
        options = {
            "kubeconfig": config,
            "authentication-kubeconfig": config,
            "authorization-kubeconfig": config,
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "authentication-skip-lookup": "true",  # nobody calls it
            "leader-elect": "false",
            # As in real clusters: each controller is a ServiceAccount of kube-system, which guards exempt by name.
            "use-service-account-credentials": "true",
            "service-account-private-key-file": token_key,
            "root-ca-file": authority.pair.certificate,
            "cluster-signing-cert-file": authority.pair.certificate,
            "cluster-signing-key-file": authority.pair.key,
            # By default it writes 20 objects a second: of a thousand Jobs made at once, some would start a minute late.
            "kube-api-qps": "500",
            "kube-api-burst": "1000",
        }

        def ready() -> bool:
            path = "/api/v1/namespaces/default/serviceaccounts/default"
            with suppress(OSError):
                return self.request("GET", path).status == HTTPStatus.OK
            return False

        return self._process(self.binaries.kube_controller_manager, options, "kube-controller-manager", ready)

    def _process(self, binary: Path, options: Mapping[str, object], name: str, ready: Callable[[], bool]) -> Process:
        command = [str(binary), *(f"--{option}={value}" for option, value in options.items())]
        return Process(command, self.folder / f"{name}.log", ready)
