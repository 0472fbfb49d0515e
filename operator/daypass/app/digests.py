"""The digests by which a permit says which pod, or which object, it is for."""

from daypass.app.ports import Canonical, Json
from daypass.domain import object_content, pod_template
from daypass.domain.digest import digest_of


def pod_template_digest(pod: Json, canonical: Canonical) -> str:
    """``podTemplateDigest`` of a pod as the API server has it: the same for all pods of an owner and template.

    Raises ValueError where there is no one spelling: no pod from an API server is such. Some 0.1 s for each MiB.
    """
    return digest_of(canonical(pod_template.projection(pod)))


def object_digest(obj: Json, canonical: Canonical, subresource: str = "") -> str:
    """``objectDigest`` of an object as the API server would store it; raises ValueError as above."""
    return digest_of(canonical(object_content.content(obj, subresource)))


def deletion_digest(uid: str, canonical: Canonical) -> str:
    """``objectDigest`` of a deletion: over the uid alone, so that no other object of that name is deleted."""
    return digest_of(canonical({"uid": uid}))
