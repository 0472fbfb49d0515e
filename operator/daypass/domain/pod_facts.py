"""What gates, permits and requests look at of a pod: read once from the final object, then passed around."""

from dataclasses import dataclass

from daypass.domain.identity import Identity
from daypass.domain.privileges import Finding
from daypass.domain.request import OwnerReference


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod as admission sees it: what it uses, what it runs, and who had a hand in it.

    ``name`` is empty while the API server is yet to make it, and ``uid`` in the mutating phase.
    """

    namespace: str
    name: str
    uid: str
    service_account: str
    """Name of its ServiceAccount, in its own namespace."""
    findings: tuple[Finding, ...]
    """Every privilege that it uses, where; those of its ServiceAccount too."""
    digest: str
    """Of what it runs: equal for all pods of an owner and template."""
    authors: tuple[str, ...]
    """Usernames of who made or changed its workload, the last one last, then the caller unless a known controller."""
    authors_unknown: bool
    """Whether somebody may have had a hand in it whom nobody knows (T69)."""
    owner: OwnerReference | None
    """At the top of its chain of controllers, as far as that could be followed; None for a pod of its own."""
    caller: Identity
    runs: tuple[str, ...] = ()
    """Images, commands and where its code comes from, for the reader."""
