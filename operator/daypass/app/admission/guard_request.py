"""Guard requests: what is refused before it exists, because no decision could make it right."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from daypass.api import convert
from daypass.app.admission.answer import CONFLICT, INVALID, Answer, Call, Operation, allow, refuse
from daypass.app.admission.knowledge import Knowledge
from daypass.app.ports import Clock, Json
from daypass.domain import names, privileges, resources
from daypass.domain.evaluation import World, refusal_at_admission
from daypass.domain.expressions import Expressions
from daypass.domain.json_values import member
from daypass.domain.request import ActionGrant, Request, RulesGrant, WorkloadGrant
from daypass.domain.times import rfc3339

OWN_WORDS: Final = (
    *(("workload", key) for key in ("owner", "authors", "authorsUnknown", "findings")),
    *(("action", key) for key in ("findings", "parties", "partyGroups")),
)
"""Fields of spec that Daypass fills in where it makes a request itself."""


@dataclass(frozen=True, slots=True)
class Guarding:
    """What guarding requests needs; ``never`` are the namespaces in which nothing is ever granted."""

    knowledge: Knowledge
    expressions: Expressions
    clock: Clock
    controller: str
    never: Collection[str]


def guard_request(call: Call, needs: Guarding) -> Answer:
    """Judge a request on creation, and its metadata on update.

    Refused are finalizers and ownerReferences by anyone but the controller (T35), what only Daypass says of a request
    (T55, T69), namespaces that are never granted (T21), privileges and resources that there are not, a request equal
    to one that still waits (T16), and one that breaks a limit of every policy that could match. All else is created;
    the controller decides, and says in the object what it decided.
    The webhook's own calls, which make requests for what a gate refused, do not come here where the configuration is
    ours (``matchConditions``); where it is not, they are refused as anybody's would be.
    """
    if call.object is None or call.operation not in {Operation.CREATE, Operation.UPDATE}:
        return refuse("UnexpectedCall", "a request is created or updated here", INVALID)
    refusal = _owned(call, needs.controller) or _reserved(call)
    if refusal is not None:
        return refusal
    if call.operation is Operation.UPDATE:
        return allow("Updated")
    if call.namespace in needs.never:
        return refuse("NamespaceNeverGranted", f"access to namespace {call.namespace} is never granted")
    try:
        request = convert.request_from(_dated(call.object, needs.clock))
    except convert.MalformedError as error:
        # Fail closed: what can't be read can't be judged; the schema should have refused it.
        return refuse("Unreadable", str(error), INVALID)
    unknown = _unknown(request)
    if unknown:
        return refuse("UnknownWord", unknown, INVALID)
    equal = needs.knowledge.equal_pending(request)
    if equal:
        return refuse("EqualPending", f"{equal} already asks for the same and waits for an answer", CONFLICT)
    broken = _broken(request, needs)
    if broken:
        return refuse("LimitBroken", "; ".join(broken))
    if not call.dry_run:
        needs.knowledge.expect(request)
    return allow("Created")


def _owned(call: Call, controller: str) -> Answer | None:
    """Refuse a change of finalizers or ownerReferences: with either, somebody decides when a request goes.

    The garbage collector, which takes away the finalizers of a deletion in the foreground, is never sent here: it
    needs no webhook to do its work (``matchConditions``).
    """
    if call.caller.username == controller:
        return None
    for key in ("finalizers", "ownerReferences"):
        if _list(call.old, key) != _list(call.object, key):
            return refuse("MetadataIsGuarded", f"metadata.{key}: only Daypass sets them on a request")
    return None


def _reserved(call: Call) -> Answer | None:
    """Refuse what only Daypass says, in the requests that it makes itself: reviewers rely on it."""
    if call.operation is Operation.CREATE:
        for key in ("name", "generateName"):
            if str(member(call.object, "metadata", key) or "").startswith(names.MADE_PREFIX):
                why = f"names that start with {names.MADE_PREFIX} are for requests that Daypass makes itself"
                return refuse("NameIsReserved", f"metadata.{key}: {why}: choose another")
        for kind, key in OWN_WORDS:
            if member(call.object, "spec", kind, key) is not None:
                why = "is Daypass's own word, in requests that it makes when a gate refuses or holds something"
                return refuse("FieldIsReserved", f"spec.{kind}.{key}: {why}: leave it out")
    if _cause(call.old) != _cause(call.object):
        return refuse(
            "LabelIsReserved", f"metadata.labels: {names.LABEL_CAUSE} is for requests that Daypass makes itself"
        )
    return None


def _cause(body: Json | None) -> object:
    return member(body, "metadata", "labels", names.LABEL_CAUSE)


def _unknown(request: Request) -> str:
    """What is wrong with the privileges or the resource asked for; what no pod and no call could use helps nobody."""
    grant = request.grant
    if isinstance(grant, ActionGrant):
        slip = resources.slip(grant.resource, [grant.group])
        return f"spec.action.resource: {slip.message}" if slip is not None and slip.certain else ""
    if not isinstance(grant, WorkloadGrant):
        return ""
    faults = [
        (f"spec.workload.privileges[{at}]", privileges.fault_in_request(one)) for at, one in enumerate(grant.privileges)
    ]
    return "; ".join(f"{path}: {fault}" for path, fault in faults if fault)


def _list(body: Json | None, key: str) -> Sequence[Any]:
    value = member(body, "metadata", key)
    return value if isinstance(value, list) else ()


def _dated(body: Json, clock: Clock) -> Json:
    """The object with the metadata that the API server may not have filled in yet."""
    metadata = member(body, "metadata")
    filled: dict[str, Any] = {"generation": 1, "uid": "", "name": "", "creationTimestamp": None}
    filled.update(metadata if isinstance(metadata, Mapping) else {})
    if filled["creationTimestamp"] is None:
        filled["creationTimestamp"] = rfc3339(clock.now())
    return {**body, "metadata": filled}


def _broken(request: Request, needs: Guarding) -> Sequence[str]:
    rules = request.grant.rules if isinstance(request.grant, RulesGrant) else ()
    world = World(
        now=needs.clock.now(),
        namespace_labels=needs.knowledge.namespace_labels(request.namespace),
        rules=rules,
        role=None,
        subject_uid="",
        peers=needs.knowledge.peers(request),
    )
    return refusal_at_admission(request, needs.knowledge.policies(), world, needs.expressions)
