"""The one write of status: every field of ours named, null where empty; never ``review`` nor ``reviews``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from daypass.api.convert import approvers_json, record_from, time_json, use_json
from daypass.api.convert_json import condition_json
from daypass.app.ports import Json
from daypass.domain.conditions import Summary, conditions
from daypass.domain.evaluation import Evaluation
from daypass.domain.outcomes import Outcome
from daypass.domain.quorum import Tally
from daypass.domain.request import Condition, ObjectReference, Request, Use
from daypass.domain.wording import access

MAX_MESSAGE: Final = 32_000
MAX_FINDINGS: Final = 64
MAX_FINDING: Final = 1024
OWN_FIELDS: Final = (
    "conditions",
    "policies",
    "risk",
    "stages",
    "digest",
    "pendingDeadlineTime",
    "approvedTime",
    "startTime",
    "expirationTime",
    "endTime",
    "objects",
    "access",
)


def status_of(
    request: Request,
    outcome: Outcome,
    objects: Iterable[ObjectReference],
    judged: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """All fields of ours as they should be; ``judged`` holds those that come from policies."""
    return {
        **judged,
        "conditions": [condition_json(one) for one in _conditions(request, outcome, now)],
        "pendingDeadlineTime": time_json(outcome.pending_deadline_time or request.record.pending_deadline_time),
        "approvedTime": time_json(outcome.approved_time),
        "startTime": time_json(outcome.start_time),
        "expirationTime": time_json(outcome.expiration_time),
        "endTime": time_json(outcome.end_time),
        "objects": [_reference(one) for one in objects] or None,
        "access": access(request.grant),
    }


def begun(request: Request, wanted: Mapping[str, Any]) -> Request:
    """A request as it will be once this status is written down: its stages and its digest, too, are those of now."""
    return replace(request, record=replace(record_from(wanted), uses=request.record.uses))


def judged_now(evaluation: Evaluation | None, tally: Tally | None, digest: str) -> dict[str, Any]:
    """The fields that come from policies, as they are judged now."""
    progress = tally.progress if tally is not None else ()
    stages = [
        {
            "policy": one.policy,
            "name": one.stage.name,
            "required": one.stage.required,
            "approvers": approvers_json(one.stage.approvers),
            "requireDigest": one.stage.require_digest,
            "approvedBy": list(one.approved_by),
            "satisfied": one.satisfied,
        }
        for one in progress
    ]
    policies = evaluation.policies if evaluation is not None else ()
    risk = evaluation.risk if evaluation is not None else None
    return {
        "policies": [{"name": one.name, "uid": one.uid, "generation": one.generation} for one in policies] or None,
        "risk": None
        if risk is None
        else {"level": risk.level.label, "findings": [text[:MAX_FINDING] for text in risk.findings[:MAX_FINDINGS]]},
        "stages": stages or None,
        "digest": digest or None,
    }


def judged_before(status: Mapping[str, Any]) -> dict[str, Any]:
    """The same fields as they stand: after activation policies don't matter."""
    return {field: status.get(field) or None for field in ("policies", "risk", "stages", "digest")}


def changes(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a write would change anything."""
    return any((current.get(field) or None) != (wanted.get(field) or None) for field in OWN_FIELDS)


def patch(version: str, wanted: Mapping[str, Any], uses: Sequence[Use] = ()) -> Json:
    """The merge patch; the resourceVersion is its precondition. Uses, which webhooks write too, only if there are any."""
    fields = {field: wanted.get(field) or None for field in OWN_FIELDS}
    written = {"uses": [use_json(use) for use in uses]} if uses else {}
    return {"metadata": {"resourceVersion": version}, "status": {**fields, **written}}


def _conditions(request: Request, outcome: Outcome, now: datetime) -> tuple[Condition, ...]:
    summary = Summary(outcome.state, outcome.message[:MAX_MESSAGE], outcome.approved, outcome.approval[:MAX_MESSAGE])
    return conditions(summary, request.record, request.generation, now)


def _reference(one: ObjectReference) -> dict[str, str]:
    return {"kind": one.kind, "namespace": one.namespace, "name": one.name, "uid": one.uid}
