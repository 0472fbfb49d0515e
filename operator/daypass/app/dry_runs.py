"""Asks the API server what would become of a manifest, and digests that; nothing is written."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from daypass.app.digests import object_digest, pod_template_digest
from daypass.app.ports import PODS, AlreadyExistsError, Canonical, Json, Kinds, Resource
from daypass.domain.names import ANNOTATION_DIGEST_ONLY
from daypass.domain.object_content import written
from daypass.domain.workloads import makes_pods, pod_of

POD_TEMPLATE_DIGEST: Final = "podTemplateDigest"
OBJECT_DIGEST: Final = "objectDigest"


class ManifestError(Exception):
    """The manifest is not one that could be sent; the text says what to change."""


class DryRuns(Protocol):
    """Calls that change nothing."""

    async def create(self, resource: Resource, body: Json, namespace: str = "", *, dry_run: bool = False) -> Json:
        """What would be created; raises AlreadyExistsError."""
        ...

    async def dry_apply(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        """What server-side apply would make of an object that exists."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """An object of a manifest, and where it would go."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def text(self) -> str:
        """As messages name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Digested:
    """One manifest's digest, and the field of a request that takes it."""

    target: Target
    field: str
    digest: str


def target_of(manifest: object, namespace: str, fallback: str) -> Target:
    """Which object a manifest is; its own namespace must be the one that was asked for, as with kubectl.

    Raises ManifestError.
    """
    if not isinstance(manifest, dict):
        text = "is no object"
        raise ManifestError(text)
    metadata = manifest.get("metadata")
    found = [manifest.get("apiVersion"), manifest.get("kind")]
    named = [metadata.get(key) for key in ("name", "generateName")] if isinstance(metadata, dict) else []
    if not isinstance(metadata, dict) or not all(isinstance(one, str) and one for one in found) or not any(named):
        text = "needs apiVersion, kind and metadata.name"
        raise ManifestError(text)
    own = metadata.get("namespace") or ""
    if own and namespace and own != namespace:
        text = f"is of namespace {own}, not {namespace}"
        raise ManifestError(text)
    return Target(str(found[0]), str(found[1]), str(own or namespace or fallback), str(named[0] or named[1]))


async def digest_manifest(
    manifest: dict[str, Any], target: Target, cluster: tuple[DryRuns, Kinds], canonical: Canonical, ordinal: int
) -> Digested:
    """The digest of what the API server, with all webhooks, would make of it.

    Rule: of a pod, or of a workload whose pods a built-in controller makes, that is ``podTemplateDigest`` of such a
    pod; a pod that was read from the API server is taken as it is. Of any other kind it is ``objectDigest`` of the
    object as it would be created, or, where it exists, as ``kubectl apply`` would change it. ``ordinal`` is any number:
    a StatefulSet's pod has to have one, best one that no pod has. Raises ManifestError and ApiError.
    """
    calls, kinds = cluster
    if makes_pods(manifest):
        pod = await _pod(manifest, target, calls, ordinal)
        return Digested(target, POD_TEMPLATE_DIGEST, pod_template_digest(pod, canonical))
    resource = await kinds.of_kind(target.api_version, target.kind)
    if resource is None:
        text = f"the API server knows no {target.kind} of {target.api_version}"
        raise ManifestError(text)
    if not resource.namespaced:
        target = Target(target.api_version, target.kind, "", target.name)
    obj = await _object(manifest, target, resource, calls)
    return Digested(target, OBJECT_DIGEST, object_digest(obj, canonical))


async def _pod(manifest: dict[str, Any], target: Target, calls: DryRuns, ordinal: int) -> Json:
    if target.kind == "Pod" and manifest["metadata"].get("uid"):
        return manifest
    try:
        pod = pod_of(manifest, ordinal)
    except ValueError as error:
        raise ManifestError(str(error)) from None
    return await calls.create(PODS, pod, target.namespace, dry_run=True)


async def _object(manifest: dict[str, Any], target: Target, resource: Resource, calls: DryRuns) -> Json:
    body = written(manifest)
    metadata = body["metadata"]
    body["metadata"] = {
        **metadata,
        "annotations": {**(metadata.get("annotations") or {}), ANNOTATION_DIGEST_ONLY: "true"},
    }
    try:
        return await calls.create(resource, body, target.namespace, dry_run=True)
    except AlreadyExistsError:
        return await calls.dry_apply(resource, target.name, body, target.namespace)
