"""The computed configurations on a real API server, in front of a webhook that only remembers who came."""

import itertools
from pathlib import Path
from typing import Any

from bed import Bed
from bed.http import Response
from cluster.recorder import Recorder
from daypass.app.gates.configurations import GATES, HOLDS
from daypass.domain.policy import Policy
from gate_builders import configurations

Json = dict[str, Any]

OWN = "daypass-system"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_probes = itertools.count(1)


class Gatehouse:
    """Puts configurations up and asks who gets as far as the webhook."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self.bed = bed
        self.recorder = Recorder(folder)

    def close(self) -> None:
        self.bed.kubectl("delete", "clusterrolebinding", "everybody-does-everything", "--ignore-not-found")
        for kind, name in (("validating", GATES.name), ("mutating", HOLDS.name)):
            self.bed.request("DELETE", f"{ADMISSION}/{kind}webhookconfigurations/{name}")
        self.recorder.stop()

    def put(self, *policies: Policy) -> None:
        """Make the gates of these policies the only ones, and wait until the API server has taken that up."""
        number = next(_probes)
        for manifest, kind in zip(
            configurations(policies, self.recorder.endpoints(), OWN), ("validating", "mutating"), strict=True
        ):
            answer = self.write(kind, {**manifest, "webhooks": [*manifest["webhooks"], self._probe(kind, number)]})
            assert answer.status in {200, 201}, answer.message
        self.bed.wait_until(lambda: self._probed(number), what="the API server calls the new webhooks")
        self.recorder.reached.clear()

    def write(self, kind: str, manifest: Json) -> Response:
        path = f"{ADMISSION}/{kind}webhookconfigurations"
        name = manifest["metadata"]["name"]
        live = self.bed.request("GET", f"{path}/{name}")
        if live.status == 404:
            return self.bed.request("POST", f"{path}?fieldValidation=Strict", manifest)
        version = live.json["metadata"]["resourceVersion"]
        body = {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}
        return self.bed.request("PUT", f"{path}/{name}?fieldValidation=Strict", body)

    def webhooks(self) -> list[Json]:
        """All that is put up, but the probes."""
        kinds = (("validating", GATES.name), ("mutating", HOLDS.name))
        found = [
            self.bed.request("GET", f"{ADMISSION}/{kind}webhookconfigurations/{name}").json for kind, name in kinds
        ]
        return [one for body in found for one in body["webhooks"] if one["name"] != "probe.daypass.dev"]

    def call(self, method: str, path: str, body: object = None, who: str = "User/alice") -> Response:
        """One call, where there can be a dry run of it, as ``User/NAME[ in GROUP]`` or a ServiceAccount ``NAMESPACE/NAME``."""
        kind, _, name = who.partition("/")
        username, _, group = name.partition(" in ")
        headers = {"Impersonate-User": username if kind == "User" else f"system:serviceaccount:{kind}:{name}"}
        if group:
            headers["Impersonate-Group"] = group
        if method == "PATCH":
            headers["Content-Type"] = "application/strategic-merge-patch+json"
        mark = "&" if "?" in path else "?"
        return self.bed.request(method, path if method == "GET" else f"{path}{mark}dryRun=All", body, headers=headers)

    def _probe(self, kind: str, number: int) -> Json:
        endpoint = self.recorder.endpoints()["gates" if kind == "validating" else "holds"]
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        condition = {"name": "probe", "expression": f"has(request.name) && request.name == 'probe-{number}'"}
        return {
            "name": "probe.daypass.dev",
            "clientConfig": endpoint,
            "rules": [rule],
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "matchConditions": [condition],
        }

    def open(self, *namespaces: str) -> None:
        """Namespaces with ServiceAccounts ``agent`` and ``robot``; RBAC stands in nobody's way."""
        self.bed.apply(_EVERYBODY)
        for namespace in namespaces:
            self.bed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            for name in ("agent", "robot"):
                metadata = {"name": name, "namespace": namespace}
                self.bed.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})

    def reached(
        self, method: str, path: str, body: object = None, who: str = "User/alice", where: str = ""
    ) -> list[str]:
        """What a call that is accepted brought to the webhook; ``where`` is gates or holds alone."""
        self.recorder.reached.clear()
        answer = self.call(method, path, body, who)
        assert answer.status in {200, 201}, answer.message
        kind, _, name = who.partition("/")
        username = name.partition(" in ")[0] if kind == "User" else f"system:serviceaccount:{kind}:{name}"
        return self.recorder.take(where, username)

    def _probed(self, number: int) -> bool:
        body = {"metadata": {"name": f"probe-{number}"}}
        self.bed.request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", body)
        paths = {one.path for one in self.recorder.reached}
        return paths == {"/gates", "/holds"}


def a_pod(name: str = "probe", account: str = "robot", **metadata: Any) -> Json:  # noqa: ANN401 - JSON
    spec = {"serviceAccountName": account, "containers": [{"name": "it", "image": "it"}]}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def a_binding(kind: str, name: str, namespace: str = "") -> Json:
    subject = {"kind": kind, "name": name, **({"namespace": namespace} if namespace else {})}
    if kind != "ServiceAccount":
        subject["apiGroup"] = "rbac.authorization.k8s.io"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    return {"metadata": {"name": "probe"}, "roleRef": role, "subjects": [subject]}


_EVERYBODY = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "everybody-does-everything"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}],
}
