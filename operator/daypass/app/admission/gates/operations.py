"""Spell a call as gates and requests do: which operation it is, what makes it one use, and what it does in words."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from daypass.app.admission.answer import Call
from daypass.app.admission.answer import Operation as Verb
from daypass.app.digests import deletion_digest, object_digest
from daypass.app.ports import Canonical, Json
from daypass.domain import content_facts, names, operation_facts
from daypass.domain.action_gates import BindingSubject, Operation
from daypass.domain.action_patterns import owner_targets
from daypass.domain.json_values import member, text
from daypass.domain.object_content import has_generated_name
from daypass.domain.permits import ActionCall

PEOPLE_ASK_IN: Final = "default"
"""Where people ask for operations on objects of the whole cluster; ServiceAccounts ask in their own namespace."""
WINDOW_SECONDS: Final = 2
"""What has no key of its own, asked again within one to two of these, is the same call (T47)."""
NAMESPACES: Final = ("", "namespaces")
RBAC: Final = "rbac.authorization.k8s.io"
BINDINGS: Final = frozenset({"rolebindings", "clusterrolebindings"})
_BINDINGS: Final = frozenset((RBAC, one) for one in BINDINGS)
_BOUND: Final = ("roleRef", "subjects")
_TOLD: Final = frozenset({"secrets", "serviceaccounts/token"})
"""Secrets are never shown, and of a token all is said."""
_SCALED: Final = "spec.replicas: "
_GIVEN_AWAY: Final = "gives it other owners, so that the garbage collector may delete it"
_VERBS: Final = {Verb.CREATE: "create", Verb.UPDATE: "update", Verb.DELETE: "delete", Verb.CONNECT: "connect"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One operation, with what reserving a use of it needs; small, whatever the object's size."""

    asked: ActionCall
    kind: str
    uid: str
    findings: tuple[str, ...]
    content: tuple[str, ...] = ()
    """What is written, or what changes: for the request alone, neither for messages nor for the log."""
    generated: bool = False
    """Whether the API server makes its name: such a one can't be asked for ahead."""


def operations_of(call: Call) -> tuple[Operation, ...]:
    """What a call does: usually one operation.

    An update that leaves an object with other owners than before is a deletion as well: with none but false ones, the
    garbage collector deletes the object in the place of whoever wrote it.
    """
    one = _operation(call, _VERBS[call.operation])
    if call.operation is Verb.UPDATE and call.resource in owner_targets(call.plural) and _adopted(call):
        return (one, replace(_operation(call, "delete"), subresource=""))
    return (one,)


def attempt(call: Call, operation: Operation, canonical: Canonical, now: datetime) -> Attempt:
    """An operation as it is asked for. Raises ValueError where the object has no one spelling.

    Rule for the key (T47): the object's uid on CREATE and DELETE, and with the resourceVersion before on UPDATE. What
    is only connected to, or created below an object, has none: there it is a hash of caller, target and options, and
    of the time in steps of two seconds.
    """
    stored = call.old if call.old is not None else call.object
    uid = text(stored, "metadata", "uid")
    digest = _digest(call, operation, uid, canonical)
    below = operation.verb == "create" and operation.subresource
    if below or operation.verb == "connect" or not uid:
        keys = _windowed(operation, digest, now)
    elif call.operation is Verb.UPDATE:
        keys = (f"{uid}@{text(call.old, 'metadata', 'resourceVersion')}",)
    else:
        keys = (uid,)
    asked = ActionCall(
        namespace=_home(operation),
        verb=operation.verb,
        group=operation.group,
        resource=operation.resource,
        subresource=operation.subresource,
        name=operation.name,
        object_digest=digest,
        caller=operation.caller,
        keys=keys,
        **_parties(operation),
    )
    kind = text(stored, "kind") if not operation.subresource else operation.resource
    # The API server gives a generated name along, or none, depending on its version.
    generated = call.operation is Verb.CREATE and (not call.name or has_generated_name(call.object or {}))
    return Attempt(asked, kind, uid, findings_of(call, operation), content_of(call, operation), generated)


def _digest(call: Call, operation: Operation, uid: str, canonical: Canonical) -> str:
    """What a request pins: the content of what is written, the uid of what is deleted."""
    if operation.verb == "delete":
        return deletion_digest(uid, canonical) if uid else ""
    return object_digest(call.object, canonical, operation.subresource) if call.object else ""


def is_eviction(operation: Operation | ActionCall) -> bool:
    """Whether this deletes a pod by another name: it is tried again while a disruption budget stands in its way."""
    return (operation.group, operation.resource, operation.subresource) == ("", "pods", "eviction")


def is_done_on_dry_run(group: str, resource: str, subresource: str) -> bool:
    """Whether the API server does this though a dry run was asked for: it gives true tokens then, too (T47, T58)."""
    return (group, resource, subresource) == ("", "serviceaccounts", "token")


def of_pod(what: Attempt, uid: str) -> Attempt:
    """The same, for a pod whose uid was read: that is its key, however often it is tried."""
    return replace(what, asked=replace(what.asked, keys=(uid,)), kind="Pod", uid=uid)


def findings_of(call: Call, operation: Operation) -> tuple[str, ...]:
    """What an operation does, a line for each fact, as the object says it."""
    body = call.object
    match operation.group, operation.resource, operation.subresource:
        case _, _, "scale":
            before, after = (member(one, "spec", "replicas") or 0 for one in (call.old, body))
            return (f"replicas: {before} → {after}",)
        case "", "pods", "exec" | "attach":
            return operation_facts.going_in(body)
        case "", "pods", "portforward":
            ports = member(body, "ports")
            return (f"ports: {', '.join(map(str, ports)) if ports else 'any'}",)
        case "", "pods" | "services", "proxy":
            path = operation_facts.quoted(f"/{text(body, 'path').removeprefix('/')}")
            return (f"path: {path}, by any method and with anything in it",)
        case "", "serviceaccounts", "token":
            spec = member(body, "spec")
            audiences = ", ".join(map(operation_facts.quoted, member(spec, "audiences") or ())) or "the API server"
            return (f"a token for {audiences}, for {member(spec, 'expirationSeconds')} seconds",)
        case "rbac.authorization.k8s.io", resource, "" if resource in BINDINGS:
            role = member(body if body is not None else call.old, "roleRef")
            told = operation_facts.binding(operation.verb, role, operation.subjects)
            if operation.verb == "delete":
                return (*told, _GIVEN_AWAY) if call.operation is Verb.UPDATE else told
            return (*told, *_no_longer(call, role))
        case _:
            return _existing(call, operation)


def content_of(call: Call, operation: Operation) -> tuple[str, ...]:
    """What is created or changed, as far as ``findings_of`` does not say it."""
    if call.object is None or operation.verb == "connect" or operation.target in _TOLD:
        return ()
    without = _BOUND if (operation.group, operation.resource) in _BINDINGS else ()
    if call.old is None:
        return content_facts.created(call.object, operation.subresource, without)
    changes = content_facts.changed(call.old, call.object, operation.subresource, without)
    return tuple(one for one in changes if operation.subresource != "scale" or not one.startswith(_SCALED))


def _no_longer(call: Call, role: object) -> tuple[str, ...]:
    """Whom a binding named before, where it stays."""
    after = _named(call.object)
    gone = [one for one in _named(call.old) if one not in after] if call.object is not None else []
    return operation_facts.binding("delete", role, gone) if gone else ()


def _existing(call: Call, operation: Operation) -> tuple[str, ...]:
    if operation.verb == "delete" and call.operation is Verb.UPDATE:
        return (_GIVEN_AWAY,)
    if call.old is None:
        return ()
    made = text(call.old, "metadata", "creationTimestamp")
    return (f"the object was made at {made}, uid {text(call.old, 'metadata', 'uid')}",)


def _operation(call: Call, verb: str) -> Operation:
    whole_cluster = (call.group, call.plural) == NAMESPACES
    name = call.name or text(call.object if call.object is not None else call.old, "metadata", "name")
    return Operation(
        verb=verb,
        group=call.group,
        resource=call.plural,
        subresource=call.subresource,
        name=name,
        namespace="" if whole_cluster else call.namespace,
        caller=call.caller,
        subjects=_subjects(call, verb),
    )


def _subjects(call: Call, verb: str) -> tuple[BindingSubject, ...]:
    """Whom a binding names: newly, or of one that is deleted, by whatever call, all of them."""
    if (call.group, call.plural) not in _BINDINGS:
        return ()
    before = _named(call.old)
    return (*before,) if verb == "delete" else (*(one for one in _named(call.object) if one not in before),)


def _parties(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Whom a binding gives a role, as they are authenticated; a deletion gives nobody anything."""
    given = operation.subjects if operation.verb != "delete" else ()
    users = [
        names.service_account_username(one.namespace or operation.namespace, one.name)
        if one.kind == "ServiceAccount"
        else one.name
        for one in given
        if one.kind != "Group"
    ]
    groups = [one.name for one in given if one.kind == "Group"]
    return {"parties": tuple(dict.fromkeys(users)), "party_groups": tuple(dict.fromkeys(groups))}


def _named(binding: Json | None) -> dict[BindingSubject, None]:
    """Each once, in order."""
    subjects = member(binding, "subjects")
    return {
        BindingSubject(text(one, "kind"), text(one, "name"), text(one, "namespace")): None
        for one in (subjects if isinstance(subjects, Sequence) else ())
        if isinstance(one, Mapping)
    }


def _adopted(call: Call) -> bool:
    """Whether the object's owners are others, and there are some.

    The garbage collector takes the uid of whoever has apiVersion, kind and name: a true uid under a false kind is an
    owner that does not exist. A true owner taken away beside a false one leaves the false one alone (T58).
    """
    after = _owners(call.object)
    return bool(after) and after != _owners(call.old)


def _owners(body: Json | None) -> set[tuple[str, ...]]:
    owners = member(body, "metadata", "ownerReferences")
    return {
        tuple(text(one, key) for key in ("apiVersion", "kind", "name", "uid"))
        for one in (owners if isinstance(owners, Sequence) else ())
        if isinstance(one, Mapping)
    }


def _home(operation: Operation) -> str:
    """The namespace in which an operation is asked for."""
    if operation.namespace:
        return operation.namespace
    account = operation.caller.service_account
    return account[0] if account is not None else PEOPLE_ASK_IN


def _windowed(operation: Operation, digest: str, now: datetime) -> tuple[str, ...]:
    """The key of this moment, and that of the one before."""
    caller = operation.caller
    parts = [
        *(caller.username, caller.uid, sorted((key, *values) for key, values in caller.extra.items())),
        *(operation.verb, operation.group, operation.resource, operation.subresource),
        *(operation.namespace, operation.name, digest),
    ]
    what = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    step = int(now.timestamp()) // WINDOW_SECONDS
    return (f"{what}@{step}", f"{what}@{step - 1}")
