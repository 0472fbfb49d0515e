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
    """An object of a manifest, and where it would go; ``resource`` is that of its pods, where it makes pods."""

    api_version: str
    kind: str
    namespace: str
    name: str
    resource: Resource

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


async def target_of(manifest: object, namespace: str, fallback: str, kinds: Kinds) -> Target:
    """Which object a manifest is; its own namespace must be the one that was asked for, as with kubectl.

    Raises ManifestError and ApiError.
    """
    if not isinstance(manifest, dict):
        text = "is no object"
        raise ManifestError(text)
    metadata = manifest.get("metadata")
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    named = [metadata.get(key) for key in ("name", "generateName")] if isinstance(metadata, dict) else []
    name = next((one for one in named if one), None)
    if not (isinstance(metadata, dict) and isinstance(api_version, str) and isinstance(kind, str) and name):
        text = "needs apiVersion, kind and metadata.name"
        raise ManifestError(text)
    own = metadata.get("namespace") or ""
    if own and namespace and own != namespace:
        text = f"{kind} {name} is of namespace {own}, not {namespace}"
        raise ManifestError(text)
    resource = PODS if makes_pods(manifest) else await kinds.of_kind(api_version, kind)
    if resource is None:
        text = f"the API server knows no {kind} of {api_version}"
        raise ManifestError(text)
    return Target(
        api_version, kind, str(own or namespace or fallback) if resource.namespaced else "", str(name), resource
    )


async def digest_manifest(
    manifest: dict[str, Any], target: Target, calls: DryRuns, canonical: Canonical, ordinal: int
) -> Digested:
    """The digest of what the API server, with all webhooks, would make of it.

    Rule: of a pod, or of a workload whose pods a built-in controller makes, that is ``podTemplateDigest`` of such a
    pod. Of any other kind it is ``objectDigest`` of the object as it would be created, or, where it exists, as
    ``kubectl apply --server-side`` would change it. A pod, or an object of those other kinds, with a uid was read from
    the API server, perhaps as the result of a dry run, and is taken as it is. ``ordinal`` is any number: a
    StatefulSet's pod has to have one, best one that no pod has. Raises ManifestError and ApiError.
    """
    read = bool(manifest["metadata"].get("uid"))
    if makes_pods(manifest):
        pod = manifest if read and target.kind == "Pod" else await _pod(manifest, target, calls, ordinal)
        return Digested(target, POD_TEMPLATE_DIGEST, pod_template_digest(pod, canonical))
    obj = manifest if read else await _object(manifest, target, calls)
    return Digested(target, OBJECT_DIGEST, object_digest(obj, canonical))


async def _pod(manifest: dict[str, Any], target: Target, calls: DryRuns, ordinal: int) -> Json:
    try:
        pod = pod_of(manifest, ordinal)
    except ValueError as error:
        raise ManifestError(str(error)) from None
    return _unmarked(await calls.create(target.resource, pod, target.namespace, dry_run=True))


async def _object(manifest: dict[str, Any], target: Target, calls: DryRuns) -> Json:
    body = written(manifest)
    annotations = {**(body["metadata"].get("annotations") or {}), ANNOTATION_DIGEST_ONLY: "true"}
    body["metadata"] = {**body["metadata"], "annotations": annotations}
    try:
        return _unmarked(await calls.create(target.resource, body, target.namespace, dry_run=True))
    except AlreadyExistsError:
        return _unmarked(await calls.dry_apply(target.resource, target.name, body, target.namespace))


def _unmarked(answer: Json) -> Json:
    """Without the mark of a call that only asks: in earnest nobody may have it for nothing, since a pod may read it."""
    metadata = answer.get("metadata") or {}
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key != ANNOTATION_DIGEST_ONLY
    }
    return {**answer, "metadata": {**metadata, "annotations": annotations}}
