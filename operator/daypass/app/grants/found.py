"""What is there of each grant: as the watch tells it, and at once what we did ourselves.

A watch is a moment late, so that without the second we would delete and create again what we just deleted or created
(T34, T37). Older versions never replace newer ones, and what we deleted does not come back.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from daypass.domain.grants import FoundBinding, FoundJob, FoundRole, Observed

FoundObject: TypeAlias = FoundJob | FoundRole | FoundBinding
REMEMBERED: Final = 20_000
_NONE: Final = Observed()


class Grants:
    """Observed objects by request uid."""

    def __init__(self, changed: Callable[[str], None] | None = None) -> None:
        """``changed`` hears the request uid of each change that was not our own."""
        self._observed: dict[str, Observed] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._changed = changed or (lambda _uid: None)

    def observed(self, request_uid: str) -> Observed:
        """What is there for a request."""
        return self._observed.get(request_uid, _NONE)

    def uids(self) -> list[str]:
        """The requests for which there is anything."""
        return list(self._observed)

    def bindings(self) -> Iterator[FoundBinding]:
        """All RoleBindings of grants; a snapshot."""
        return iter([one.binding for one in self._observed.values() if one.binding is not None])

    def made(self, item: FoundObject) -> None:
        """Our own write answered with this."""
        self._put(item)

    def removed(self, request_uid: str, item: FoundObject) -> None:
        """We delete it now; ``kept`` takes it back."""
        self._deleted[item.found.uid] = None
        if len(self._deleted) > REMEMBERED:
            self._deleted.popitem(last=False)
        self._take_out(request_uid, item)

    def kept(self, item: FoundObject) -> None:
        """Our own delete may not have gone through: take it for there until a watch or a delete says otherwise."""
        self._deleted.pop(item.found.uid, None)
        self._put(item)

    def heard(self, old: FoundObject | None, new: FoundObject | None) -> None:
        """A watch says that an object became another; tells those who wait for it, if it is news."""
        if new is None:
            if old is not None and self._take_out(old.content.tag.request_uid, old):
                self._changed(old.content.tag.request_uid)
            return
        if old is not None and old.content.tag.request_uid != new.content.tag.request_uid:
            self._take_out(old.content.tag.request_uid, old)
        if new.found.uid not in self._deleted and self._put(new):
            self._changed(new.content.tag.request_uid)

    def _put(self, item: FoundObject) -> bool:
        uid = item.content.tag.request_uid
        before = self.observed(uid)
        current = before.part(item.kind)
        if current is not None and int(current.found.version) >= int(item.found.version):
            return False
        match item:
            case FoundJob():
                after = replace(before, job=item)
            case FoundRole():
                after = replace(before, role=item)
            case FoundBinding():
                after = replace(before, binding=item)
        self._observed[uid] = after
        return True

    def _take_out(self, request_uid: str, item: FoundObject) -> bool:
        before = self.observed(request_uid)
        current = before.part(item.kind)
        if current is None or current.found.uid != item.found.uid:
            return False
        match item:
            case FoundJob():
                after = replace(before, job=None)
            case FoundRole():
                after = replace(before, role=None)
            case FoundBinding():
                after = replace(before, binding=None)
        if after.empty:
            self._observed.pop(request_uid, None)
        else:
            self._observed[request_uid] = after
        return True
