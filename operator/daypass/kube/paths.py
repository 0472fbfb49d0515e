"""URLs of API objects. A name that comes from a request's text must not be able to point anywhere else (T24)."""

from http import HTTPStatus
from urllib.parse import quote, urlencode

from daypass.app.ports import RefusedError, Resource


def collection_path(resource: Resource, namespace: str = "") -> str:
    """Where objects of a kind are listed and created; no namespace means all of them."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{segment(namespace)}" if namespace and resource.namespaced else ""
    return f"{root}{scope}/{resource.plural}"


def group_path(group: str, version: str = "") -> str:
    """Where the API server says what it serves of a group, or of one version of it; the core group has only v1."""
    if not group:
        return f"/api/{segment(version)}"
    return f"/apis/{segment(group)}/{segment(version)}" if version else f"/apis/{segment(group)}"


def object_path(resource: Resource, name: str, namespace: str = "", subresource: str = "") -> str:
    """One object. An empty name would address the whole collection, an empty namespace another scope: both refused."""
    if resource.namespaced and not namespace:
        text = f"{resource.kind} {name!r} needs a namespace"
        raise RefusedError(text, HTTPStatus.BAD_REQUEST, "BadRequest")
    below = f"/{segment(subresource)}" if subresource else ""
    return f"{collection_path(resource, namespace)}/{segment(name)}{below}"


def segment(text: str) -> str:
    """One path segment, by the rule of Kubernetes itself (path.IsValidPathSegmentName)."""
    if not text or text in {".", ".."} or "/" in text or "%" in text:
        # Fail closed: no object can have such a name, but a URL made of it can address another.
        message = f"{text!r} can't be the name of an object"
        raise RefusedError(message, HTTPStatus.BAD_REQUEST, "BadRequest")
    return quote(text, safe=":")


def query(**parameters: str | int) -> str:
    """The query string of those that are not empty, with its question mark."""
    given = {key: value for key, value in parameters.items() if value != ""}
    return f"?{urlencode(given)}" if given else ""
