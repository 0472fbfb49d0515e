"""From an AdmissionReview as the API server sends it to the call that the use cases judge."""

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from daypass.api.admission import AdmissionReview
from daypass.app.admission.answer import Call, Operation
from daypass.domain.identity import Identity
from daypass.webhook.decoding import UnreadableError

_OPERATIONS: Final = {operation.value: operation for operation in Operation}
_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"
_LONGEST_UID: Final = 128


def call_from(body: Any) -> tuple[str, Call]:  # noqa: ANN401 - JSON as it came
    """Read a decoded AdmissionReview; gives its uid, to be echoed, and the call. Raises UnreadableError."""
    return _plainly(body) or _closely(body)


def _plainly(body: Any) -> tuple[str, Call] | None:  # noqa: ANN401 - JSON as it came
    """Read a review in which all that we read is of its type and in ASCII; None for any other, which the model judges.

    All reviews of an API server are such. The model reads the same in them, and takes several times as long.
    """
    if type(body) is not dict or body.get("apiVersion") != _VERSION or body.get("kind") != _KIND:
        return None
    asked = body.get("request")
    if type(asked) is not dict:
        return None
    read: Callable[..., Any] = asked.get
    uid, operation, resource, user = (read(key) for key in ("uid", "operation", "resource", "userInfo"))
    name, namespace, below = (read(key, "") for key in ("name", "namespace", "subResource"))
    new, old, dry_run = (read(key) for key in ("object", "oldObject", "dryRun"))
    if (
        not (_are_texts((uid, operation, name, namespace, below)) and 0 < len(uid) <= _LONGEST_UID)
        or operation not in _OPERATIONS
        or not (_has_texts(read("kind"), "group", "version", "kind"))
        or not (_has_texts(resource, "group", "version", "resource"))
        or not (new is None or type(new) is dict)
        or not (old is None or type(old) is dict)
        or not (dry_run is None or type(dry_run) is bool)
    ):
        return None
    caller = _caller(user)
    if caller is None:
        return None
    plural = resource["resource"]
    return uid, Call(
        operation=_OPERATIONS[operation],
        resource=f"{plural}/{below}" if below else plural,
        caller=caller,
        name=name,
        namespace=namespace,
        object=new,
        old=old,
        dry_run=dry_run is True,
        group=resource["group"],
    )


def _caller(user: Any) -> Identity | None:  # noqa: ANN401 - JSON as it came
    if type(user) is not dict:
        return None
    username, uid, groups, extra = (
        user.get("username"),
        user.get("uid", ""),
        user.get("groups", []),
        user.get("extra", {}),
    )
    if not _are_texts((username, uid)) or not username or type(groups) is not list or type(extra) is not dict:
        return None
    if not _are_texts(groups) or not _are_texts(extra):
        return None
    more: dict[str, tuple[str, ...]] = {}
    for key, values in extra.items():
        if type(values) is not list or not _are_texts(values):
            return None
        more[key] = tuple(values)
    return Identity(username, uid, tuple(groups), more)


def _has_texts(holder: Any, *keys: str) -> bool:  # noqa: ANN401 - JSON as it came
    return type(holder) is dict and _are_texts([holder.get(key) for key in keys])


def _are_texts(values: Any) -> bool:  # noqa: ANN401 - of JSON
    for value in values:  # noqa: SIM110 - a generator costs more than all the comparisons
        if type(value) is not str or not value.isascii():
            return False
    return True


def _closely(body: Any) -> tuple[str, Call]:  # noqa: ANN401 - JSON as it came
    try:
        asked = AdmissionReview.model_validate(body).request
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"])[:200]
        msg = f"{where or 'AdmissionReview'}: {first['msg']}"
        raise UnreadableError(msg) from error
    user = asked.user_info
    resource = asked.resource.resource
    return asked.uid, Call(
        operation=Operation(asked.operation),
        resource=f"{resource}/{asked.sub_resource}" if asked.sub_resource else resource,
        caller=Identity(user.username, user.uid, tuple(user.groups), {k: tuple(v) for k, v in user.extra.items()}),
        name=asked.name,
        namespace=asked.namespace,
        object=asked.object,
        old=asked.old_object,
        dry_run=bool(asked.dry_run),
        group=asked.resource.group,
    )
