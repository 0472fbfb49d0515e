"""A request that can't be understood: it says so, and nothing is granted (T63)."""

from datetime import datetime

from daypass.api.convert_json import condition_json
from daypass.app.grants.journal import Journal
from daypass.app.grants.requests import Entry
from daypass.app.ports import ACCESS_REQUESTS, Objects
from daypass.domain.conditions import State, Summary, conditions
from daypass.domain.request import ObjectReference, Record


async def tell_unreadable(entry: Entry, objects: Objects, journal: Journal, now: datetime) -> None:
    """Write ``Undecided`` with what is wrong, once.

    What such a request had been granted is left to its dead-man Job: we can't know that it should end earlier.
    """
    body = entry.body
    metadata = body["metadata"]
    found = (body.get("status") or {}).get("conditions") or []
    ready = next((one for one in found if isinstance(one, dict) and one.get("type") == "Ready"), {})
    if ready.get("message") == entry.fault or any(ready.get("reason") == state.value for state in State if state.final):
        return
    summary = Summary(State.UNDECIDED, entry.fault, approved=None, approval="")
    told = [condition_json(one) for one in conditions(summary, Record(), metadata.get("generation", 0), now)]
    patch = {"metadata": {"resourceVersion": entry.version}, "status": {"conditions": told}}
    await objects.merge_patch(ACCESS_REQUESTS, metadata["name"], patch, metadata["namespace"], "status")
    about = ObjectReference("AccessRequest", metadata["namespace"], metadata["name"], entry.uid)
    journal.decided(about, None, State.UNDECIDED, entry.fault)
