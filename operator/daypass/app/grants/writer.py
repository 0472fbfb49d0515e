"""Makes, restores and removes the objects of a grant, one call at a time, in the order of the plan."""

from dataclasses import dataclass
from typing import Any

from daypass.app.grants import manifests
from daypass.app.grants.found import FoundObject, Grants
from daypass.app.grants.journal import Journal
from daypass.app.ports import (
    ACCESS_REQUESTS,
    JOBS,
    AlreadyExistsError,
    ApiError,
    Clock,
    ConflictError,
    Json,
    Objects,
    RefusedError,
    UnavailableError,
)
from daypass.domain import deadlines, names
from daypass.domain.grants import (
    BindingContent,
    GrantKind,
    JobContent,
    Observed,
    RoleContent,
    binding_content,
    job_content,
    role_content,
)
from daypass.domain.plan import Action, SpoiltError, Verb, Wants, plan, remains
from daypass.domain.request import Request


class GrantError(Exception):
    """The grant can't be made, and trying again would change nothing. The text is for a person."""


@dataclass(frozen=True, slots=True)
class GrantWriter:
    """Acts on the objects of grants; what it did it tells ``grants`` at once."""

    objects: Objects
    clock: Clock
    grants: Grants
    journal: Journal

    async def apply(self, request: Request, wants: Wants) -> Observed:
        """Make it so, and say what is there then. Raises GrantError, ConflictError or UnavailableError."""
        try:
            actions = plan(request, wants, self.grants.observed(request.uid))
        except SpoiltError as error:
            raise GrantError(str(error)) from error
        for action in actions:
            await self._do(request, wants, action)
        return self.grants.observed(request.uid)

    async def clear(self, request_uid: str) -> bool:
        """Remove everything of a grant, the Role too; whether there was anything."""
        actions = remains(self.grants.observed(request_uid))
        for action in actions:
            await self.delete(request_uid, action.kind)
        return bool(actions)

    async def delete(self, request_uid: str, kind: GrantKind) -> bool:
        """Delete what is there of that kind, by uid (T25); False when there was nothing any more."""
        item = self.grants.observed(request_uid).part(kind)
        if item is None:
            return False
        found = item.found
        self.grants.removed(request_uid, item)  # before the call, so that nobody else deletes it meanwhile
        try:
            return await self.objects.delete(manifests.RESOURCES[kind], found.name, found.uid, found.namespace)
        except BaseException:
            # Fail closed: a delete that may not have gone through is no end of access.
            self.grants.kept(item)
            raise

    async def reread(self, request: Request) -> None:
        """Look live at what the watch says is gone or different, before anything is ended because of it (T34)."""
        observed, name = self.grants.observed(request.uid), names.grant_name(request.uid)
        for kind in (GrantKind.JOB, GrantKind.BINDING):
            body = await self.objects.get(manifests.RESOURCES[kind], name, request.namespace)
            item = observed.part(kind)
            if body is not None and (found := _found_of(kind, body)).content.tag.request_uid == request.uid:
                self.grants.made(found)
            elif item is not None:
                self.grants.removed(request.uid, item)

    async def _do(self, request: Request, wants: Wants, action: Action) -> None:
        match action.verb:
            case Verb.DELETE:
                await self.delete(request.uid, action.kind)
            case Verb.CREATE:
                await self._create(request, wants, action.kind)
            case Verb.CORRECT:
                await self._patch_job(request, wants, action, {"spec": {"activeDeadlineSeconds": action.seconds}})
            case Verb.RESTORE:
                try:
                    await self._restore(request, wants, action)
                except RefusedError as error:
                    # Fail closed: what others made of it does not stay because it can't be undone (T26).
                    message = f"{action.kind.value} was changed by others and can't be restored: {error.message}"
                    raise GrantError(message) from error
                self.journal.noted(request, "GrantRestored", f"{action.kind.value} was changed by others; restored.")

    async def _create(self, request: Request, wants: Wants, kind: GrantKind) -> None:
        content = self._content(request, wants, kind)
        resource = manifests.RESOURCES[kind]
        try:
            body = await self.objects.create(resource, self._manifest(request, wants, content), request.namespace)
        except AlreadyExistsError:
            body = await self._existing(request, kind)
        except UnavailableError:
            raise
        except ApiError as error:
            message = f"{kind.value} could not be made: {error.message}"
            raise GrantError(message) from error
        self._take(content, _found_of(kind, body))

    async def _existing(self, request: Request, kind: GrantKind) -> Json:
        body = await self.objects.get(manifests.RESOURCES[kind], names.grant_name(request.uid), request.namespace)
        if body is None:
            message = f"{kind.value} was there and is gone"
            raise ConflictError(message)
        return body

    async def _restore(self, request: Request, wants: Wants, action: Action) -> None:
        content = self._content(request, wants, action.kind)
        target = action.target
        if target is None:
            return
        if isinstance(content, JobContent):
            head = manifests.metadata_of(request, content.tag, (ACCESS_REQUESTS, request.name))
            metadata = {key: head[key] for key in ("labels", "annotations", "ownerReferences")}
            settings = manifests.job_settings(action.seconds)
            change = {"metadata": {**metadata, "finalizers": None}, "spec": settings}
            await self._patch_job(request, wants, action, change)
            return
        manifest = self._manifest(request, wants, content)
        manifest["metadata"] |= {"uid": target.uid, "resourceVersion": target.version}
        body = await self.objects.replace(manifests.RESOURCES[action.kind], target.name, manifest, target.namespace)
        self._take(content, _found_of(action.kind, body))

    async def _patch_job(self, request: Request, wants: Wants, action: Action, change: dict[str, Any]) -> None:
        target = action.target
        if target is None:
            return
        metadata = {**change.get("metadata", {}), "uid": target.uid, "resourceVersion": target.version}
        body = await self.objects.merge_patch(JOBS, target.name, {**change, "metadata": metadata}, request.namespace)
        found = manifests.job_from(body)
        self._take(self._content(request, wants, GrantKind.JOB), found)
        if found.deadline_seconds != action.seconds:
            # Fail closed: a Job with another deadline ends the access at another time than was approved.
            raise GrantError(_not_ours(found))

    def _take(self, content: JobContent | RoleContent | BindingContent, found: FoundObject) -> None:
        """Believe what the API server answered, if it is what was asked for. Raises GrantError."""
        if found.content == content:
            self.grants.made(found)
            return
        # Fail closed: names are never adopted; what others made or changed on its way is no grant of ours (T24).
        if (
            found.content.tag.request_uid == content.tag.request_uid
            and found.content.tag.owner_uid == content.tag.owner_uid
        ):
            self.grants.made(found)
        raise GrantError(_not_ours(found))

    def _content(self, request: Request, wants: Wants, kind: GrantKind) -> JobContent | RoleContent | BindingContent:
        end = wants.expiration
        job = self.grants.observed(request.uid).job
        content: JobContent | RoleContent | BindingContent | None = None
        if end is not None and kind is GrantKind.JOB:
            content = job_content(request, end)
        elif end is not None and job is not None:
            uid = job.found.uid
            content = role_content(request, end, uid) if kind is GrantKind.ROLE else binding_content(request, end, uid)
        if content is None:
            # Fail closed: nothing is made without its Job, never a binding without an end.
            message = f"no {kind.value} without a dead-man Job"
            raise GrantError(message)
        return content

    def _manifest(
        self, request: Request, wants: Wants, content: JobContent | RoleContent | BindingContent
    ) -> dict[str, Any]:
        match content:
            case JobContent():
                end = wants.expiration or self.clock.now()
                seconds = deadlines.seconds_until(end, self.clock.now())
                return manifests.job_manifest(request, content.tag, seconds)
            case RoleContent():
                return manifests.role_manifest(request, content)
            case BindingContent():
                return manifests.binding_manifest(request, content)


def _not_ours(found: FoundObject) -> str:
    return f"{found.kind.value} {found.found.name} is not as it was asked for: it exists, or was changed by others"


def _found_of(kind: GrantKind, body: Json) -> FoundObject:
    match kind:
        case GrantKind.JOB:
            return manifests.job_from(body)
        case GrantKind.ROLE:
            return manifests.role_from(body)
        case GrantKind.BINDING:
            return manifests.binding_from(body)
