"""Whether a running grant still gives what was approved."""

from daypass.app.grants.judge import Judge
from daypass.app.grants.surroundings import Known, Surroundings, surroundings
from daypass.app.ports import Objects
from daypass.domain.request import Request, RoleGrant


async def drift_of(request: Request, known: Known, objects: Objects, judge: Judge) -> str:
    """What is not as it was approved, for a person; empty when all is. Raises UnavailableError.

    A cache may be older than the approval: a difference counts only if a live read shows it too (T34).
    """
    around = await surroundings(request, known, objects, live=False)
    if not _difference(request, around, judge):
        return ""
    return _difference(request, await surroundings(request, known, objects, live=True), judge)


def _difference(request: Request, around: Surroundings, judge: Judge) -> str:
    if around.trouble or around.missing:
        # Fail closed: what can't be compared is not taken for equal.
        return f"Suspended: {around.trouble or around.missing}"
    digest = judge.digest(request, around.role, around.subject_uid, request.record.policies)
    if digest == request.record.digest:
        return ""
    what = f"{request.grant.role.kind} {request.grant.role.name}" if isinstance(request.grant, RoleGrant) else "subject"
    return f"Suspended: {what} is not what was approved; the access resumes when it is again."
