"""Whether a running grant still gives what was approved."""

from datetime import datetime

from daypass.app.grants.judge import Judge
from daypass.app.grants.surroundings import Known, Surroundings, surroundings
from daypass.app.ports import SERVICE_ACCOUNTS, Objects
from daypass.domain.identity import SubjectKind
from daypass.domain.request import Request, RoleGrant
from daypass.domain.times import moment_from


async def drift_of(request: Request, known: Known, objects: Objects, judge: Judge, *, live: bool = False) -> str:
    """What is not as it was approved, for a person; empty when all is. Raises UnavailableError.

    A cache may be older than the approval: a difference counts only if a live read shows it too (T34). With ``live``
    the caches are not asked at all: what is to be given again must be seen to be right.
    """
    if not live and not _differs(request, await surroundings(request, known, objects, live=False), judge):
        return ""
    around = await surroundings(request, known, objects, live=True)
    if not _differs(request, around, judge):
        return ""
    if around.trouble or around.missing:
        return f"Suspended: {around.trouble or around.missing}"
    account = f"ServiceAccount {request.subject.namespace}/{request.subject.name}"
    role = f"{request.grant.role.kind} {request.grant.role.name}" if isinstance(request.grant, RoleGrant) else ""
    begin, made = request.record.start_time, await _subject_made(request, objects)
    if made is not None and (not role or (begin is not None and made > begin)):
        return f"Suspended: {account} is not the one that was approved, but was made anew; ask again."
    what = f"{role} or {account}" if made is not None and made == begin else role or "subject"
    return f"Suspended: {what} is not what was approved; the access resumes when it is again."


def _differs(request: Request, around: Surroundings, judge: Judge) -> bool:
    if around.trouble or around.missing:
        # Fail closed: what can't be compared is not taken for equal.
        return True
    digest = judge.digest(request, around.role, around.subject_uid, request.record.policies)
    return digest != request.record.digest


async def _subject_made(request: Request, objects: Objects) -> datetime | None:
    """When the ServiceAccount that has the access was made; None for a User."""
    if request.subject.kind is not SubjectKind.SERVICE_ACCOUNT:
        return None
    body = await objects.get(SERVICE_ACCOUNTS, request.subject.name, request.subject.namespace)
    return None if body is None else moment_from(body["metadata"].get("creationTimestamp"))
