"""Decides which policies are worth a look for a request, so that a thousand cost hardly more than ten."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias, assert_never, overload

from daypass.domain.policy import Policy
from daypass.domain.request import ActionGrant, Grant, Request, RoleGrant, RulesGrant, WorkloadGrant

_Key: TypeAlias = tuple[str, bool, str]
"""Literal start of a namespace glob, whether it is the whole name, and what is granted (or any)."""

_ANYWHERE: Final = ("", False)
_ANYTHING: Final = ""
_RULES: Final = "rules"
_WORKLOAD: Final = "workload"
_ACTION: Final = "action"
_MOST_KEYS: Final = 64
"""A policy with more combinations is looked at whatever is granted: the index stays small."""


class PolicySet(Sequence[Policy]):
    """All policies by name, made once for each change of one of them.

    Immutable. Each policy is filed under the literal start of its namespace globs and under the roles
    and kinds of request that it lists; what is found there is a superset of what matches, and ``matching`` decides.
    """

    __slots__ = ("_by_name", "_cyclic", "_lengths", "_places", "_policies")

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        """File the policies."""
        self._policies: Final = tuple(sorted(policies, key=lambda policy: policy.name))
        self._by_name: Final = {policy.name: policy for policy in self._policies}
        self._cyclic: Final = frozenset(cycles(self._policies))
        places: dict[_Key, list[int]] = {}
        for at, policy in enumerate(self._policies):
            for key in _keys(policy):
                places.setdefault(key, []).append(at)
        self._places: Final = places
        self._lengths: Final = sorted({len(start) for start, whole, _ in places if not whole})

    @classmethod
    def of(cls, policies: Sequence[Policy]) -> "PolicySet":
        """The policies as a set; one that is a set already is not filed again."""
        return policies if isinstance(policies, cls) else cls(policies)

    def find(self, name: str) -> Policy | None:
        """The policy of that name."""
        return self._by_name.get(name)

    def is_cyclic(self, name: str) -> bool:
        """Whether the policy's ``unless`` leads back to itself."""
        return name in self._cyclic

    def candidates(self, request: Request) -> Iterator[Policy]:
        """Every policy that could match the request, and some that can't, by name."""
        granted = _grant_key(request.grant)
        namespace = request.namespace
        starts = [(namespace, True)]
        starts += [(namespace[:length], False) for length in self._lengths if length <= len(namespace)]
        found = {
            at
            for start, whole in starts
            for what in (granted, _ANYTHING)
            for at in self._places.get((start, whole, what), ())
        }
        return (self._policies[at] for at in sorted(found))

    @overload
    def __getitem__(self, index: int) -> Policy: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Policy]: ...
    def __getitem__(self, index: int | slice) -> Policy | Sequence[Policy]:
        """The policy at a place in the order of names."""
        return self._policies[index]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._policies)


def cycles(policies: Iterable[Policy]) -> Iterator[str]:
    """The names of policies whose ``unless`` leads back to themselves, directly or by way of others."""
    unless = {policy.name: policy.match.unless for policy in policies if policy.match.unless}
    for name, named in unless.items():
        seen: set[str] = set()
        open_names = list(named)
        while open_names:
            following = open_names.pop()
            if following not in seen:
                seen.add(following)
                open_names.extend(unless.get(following, ()))
        if name in seen:
            yield name


def _keys(policy: Policy) -> set[_Key]:
    match = policy.match
    starts = {_start(glob) for glob in match.namespaces} if match.namespaces is not None else {_ANYWHERE}
    granted = {_ANYTHING}
    if match.grants is not None:
        granted = {_role_key(role.kind, role.name) for role in match.grants.roles}
        granted |= {_RULES} if match.grants.rules else set()
        granted |= {_WORKLOAD} if match.grants.privileges else set()
        granted |= {_ACTION} if match.grants.actions else set()
    if len(starts) * len(granted) > _MOST_KEYS:
        granted = {_ANYTHING}
    return {(*start, what) for start in starts for what in granted}


def _start(glob: str) -> tuple[str, bool]:
    literal, star, _ = glob.partition("*")
    return (literal, not star)


def _grant_key(grant: Grant) -> str:
    match grant:
        case RoleGrant(role):
            return _role_key(role.kind, role.name)
        case RulesGrant():
            return _RULES
        case WorkloadGrant():
            return _WORKLOAD
        case ActionGrant():
            return _ACTION
        case _:
            assert_never(grant)


def _role_key(kind: str, name: str) -> str:
    return f"{kind}/{name}"
