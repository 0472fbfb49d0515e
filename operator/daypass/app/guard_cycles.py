"""Refuse policies that step aside for one another in a circle: neither would then ever apply."""

from collections.abc import Mapping, Sequence


def unless_cycle(name: str, unless: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Find a circle of ``unless`` through the policy of that name, as the names along it; empty when there is none.

    ``unless`` maps every policy to the names for which it steps aside. A name that is no policy leads nowhere.
    """
    trail: dict[str, str] = {}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        for there in unless.get(here, ()):
            if there == name:
                return _walk_back(name, here, trail)
            if there not in trail:
                trail[there] = here
                waiting.append(there)
    return ()


def _walk_back(name: str, last: str, trail: Mapping[str, str]) -> tuple[str, ...]:
    path = [name]
    while last != name:
        path.append(last)
        last = trail[last]
    return (name, *reversed(path[1:]), name)
