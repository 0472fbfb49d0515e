"""Decides who fills which place when everybody can fill one only."""

from collections.abc import Sequence


def fill(places: Sequence[Sequence[int]]) -> tuple[int | None, ...]:
    """Who takes each place, given who could; as many places as possible are filled.

    Rule: maximum bipartite matching (Kuhn), one augmenting path for each place in the order given. So the set of
    filled places depends only on who there is, not on the order of the people, and it only grows when somebody is
    added: each place is filled if it can be together with those before it.

    Why not first come, first served: an approver who belongs to two stages would take the place of one who belongs
    to one, and people who suffice would be said not to (T08).
    """
    place_of: dict[int, int] = {}
    for place in range(len(places)):
        _seat(place, places, place_of, set())
    person_at = {place: person for person, place in place_of.items()}
    return tuple(person_at.get(place) for place in range(len(places)))


def _seat(place: int, places: Sequence[Sequence[int]], place_of: dict[int, int], tried: set[int]) -> bool:
    for person in places[place]:
        if person in tried:
            continue
        tried.add(person)
        taken = place_of.get(person)
        if taken is None or _seat(taken, places, place_of, tried):
            place_of[person] = place
            return True
    return False
