"""What holds for every pod and every pattern."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from daypass.domain import privileges
from daypass.domain.globs import intersect_freely, matches_freely
from daypass.domain.privileges import CONTROLS, PROFILES, Finding, fits, missing, overlaps
from domain.pod_cases import KINDS, Case, Json, cases

CASES = cases("baseline", "restricted", "beyond")
REFUSED = [(case, kind) for case in CASES if case.finds for kind in KINDS]
BODIES = st.builds(Case.body, st.sampled_from(CASES), st.sampled_from(KINDS))
CONTAINERS = BODIES.map(lambda body: body["spec"]["containers"][0])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)

NAMES = st.sampled_from(sorted(CONTROLS))
VALUES = st.text("AL/*x:", max_size=5) | st.sampled_from(
    ["ALL", "SYS_ADMIN", "A*", "*", "/", "/var", "/var/log", "/var/*", "High", "Critical", "C*", "hostPID"]
)


def _of(name: str) -> st.SearchStrategy[str]:
    return VALUES.map(lambda value: f"{name}:{value}" if value else name)


PRIVILEGES = NAMES.flatmap(_of)
RELATED = NAMES.flatmap(lambda name: st.tuples(_of(name), _of(name), _of(name)))
"""Three of one control: most others have nothing to do with each other."""
PATTERNS = PRIVILEGES | st.sampled_from(sorted(PROFILES))


def controls(pod: Any) -> set[str]:  # noqa: ANN401 - pods that may be malformed
    return {finding.control for finding in privileges.of_pod(pod)}


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - JSON
    """Every place of the JSON, the outermost first."""
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in steps:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[str | int, ...], by: object) -> Any:  # noqa: ANN401 - JSON
    """The JSON with something else at the place."""
    result = deepcopy(value)
    holder = result
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = by
    return result


def steps_to(finding: Finding) -> tuple[str | int, ...]:
    """The place of a finding: ``a[0].b[c.d/e]`` has the steps a, 0, b, c.d/e."""
    steps: list[str | int] = []
    rest = finding.path
    while rest:
        if rest.startswith("["):
            inner, _, rest = rest[1:].partition("]")
            steps.append(int(inner) if inner.isdigit() else inner)
        else:
            end = min(at for at in (rest.find("."), rest.find("["), len(rest)) if at >= 0)
            steps.append(rest[:end])
            rest = rest[end:]
        rest = rest.removeprefix(".")
    return tuple(steps)


@given(BODIES, CONTAINERS | JUNK, st.sampled_from(KINDS))
def test_another_container_takes_no_finding_away(pod: Json, container: object, kind: str) -> None:
    more = deepcopy(pod)
    more["spec"].setdefault(kind, []).append(container)
    assert {*privileges.of_pod(pod)} <= {*privileges.of_pod(more)}


@given(BODIES, JUNK)
def test_another_volume_takes_no_finding_away(pod: Json, volume: object) -> None:
    more = deepcopy(pod)
    more["spec"].setdefault("volumes", []).append(volume)
    assert {*privileges.of_pod(pod)} <= {*privileges.of_pod(more)}


@pytest.mark.parametrize(("case", "kind"), REFUSED, ids=str)
@pytest.mark.parametrize("junk", [1.5, "junk", ["junk"]], ids=str)
def test_what_is_malformed_hides_nothing(case: Case, kind: str, junk: object) -> None:
    """At no place on the way to what uses a privilege, from the spec to the value itself."""
    pod = case.body(kind)
    for finding in privileges.of_pod(pod):
        path = steps_to(finding)
        for length in range(1, len(path) + 1):
            try:
                changed = replaced(pod, path[:length], junk)
            except (KeyError, TypeError, IndexError):
                break  # the finding is about something that is absent from here on
            assert finding.control in controls(changed), (finding, path[:length])


@given(BODIES, st.data(), JUNK)
def test_every_json_gets_an_answer(pod: Json, data: st.DataObject, junk: object) -> None:
    changed = replaced(pod, data.draw(st.sampled_from(list(places(pod)))), junk)
    for finding in privileges.of_pod(changed):
        assert finding.control in CONTROLS
        assert finding.path
        assert privileges.fault_in_request(finding.text) == "" or finding.control in OPEN
        assert fits(finding.control, finding.text)
        assert not missing([finding.text], [finding.text])


OPEN = {"AppArmor", "Seccomp", "ProcMount", "ProcMountRestricted"}
"""The API server knows the values of these and takes no other; a finding of another is still a finding."""


@given(PATTERNS)
def test_a_pattern_covers_itself(pattern: str) -> None:
    assume(pattern not in PROFILES)
    assert fits(pattern, pattern)
    assert overlaps(pattern, pattern)


@given(RELATED)
def test_what_is_covered_is_spoken_of(three: tuple[str, str, str]) -> None:
    pattern, privilege, _ = three
    assert overlaps(pattern, privilege) or not fits(pattern, privilege)


@given(RELATED)
def test_covering_is_transitive(three: tuple[str, str, str]) -> None:
    wide, middle, narrow = three
    assert fits(wide, narrow) or not (fits(wide, middle) and fits(middle, narrow))


@given(RELATED)
def test_asking_for_more_is_spoken_of_by_as_much(three: tuple[str, str, str]) -> None:
    pattern, wide, narrow = three
    assert overlaps(pattern, wide) or not (fits(wide, narrow) and overlaps(pattern, narrow))


@given(RELATED, st.text("AL/x:", max_size=4))
def test_a_star_that_is_asked_for_is_covered_with_all_it_stands_for(three: tuple[str, str, str], some: str) -> None:
    pattern, asked, _ = three
    assume(asked.partition(":")[2].strip("*") != "")
    stood_for = asked.replace("*", some)
    assume(stood_for != "Capabilities:ALL")
    assume(stood_for != "CapabilitiesRestricted:ALL")
    assert fits(asked, stood_for)
    assert fits(pattern, stood_for) or not fits(pattern, asked)


@given(NAMES, PRIVILEGES)
def test_without_a_value_every_value_is_meant(name: str, privilege: str) -> None:
    same = privilege.partition(":")[0] == name
    assert fits(name, privilege) is same
    assert fits(f"{name}:*", privilege) is same
    assert overlaps(name, privilege) is same
    assert overlaps(privilege, name) is same


@given(st.sampled_from(sorted(PROFILES)), PRIVILEGES)
def test_a_profile_is_its_controls(profile: str, privilege: str) -> None:
    inside = privilege.partition(":")[0] in PROFILES[profile]
    assert fits(profile, privilege) is inside
    assert overlaps(profile, privilege) is inside


@given(st.lists(PATTERNS, max_size=4), st.lists(PRIVILEGES, max_size=6), PATTERNS)
def test_missing_is_what_nothing_covers(granted: list[str], needed: list[str], more: str) -> None:
    lacking = missing(granted, needed)
    assert [*lacking] == [one for one in dict.fromkeys(needed) if not any(fits(pattern, one) for pattern in granted)], (
        "in the order of need, each once"
    )
    assert missing([*granted, *lacking], needed) == ()
    assert {*missing([*granted, more], needed)} <= {*lacking}


@given(st.lists(PRIVILEGES, max_size=30), st.integers(min_value=len(CONTROLS), max_value=30))
def test_condensed_covers_all_and_is_short(needed: list[str], limit: int) -> None:
    short = privileges.condensed(needed, limit)
    assert len(short) <= limit
    assert missing(short, needed) == ()
    if len({*needed}) <= limit:
        assert short == tuple(dict.fromkeys(needed))


@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5), st.text("ab", max_size=8))
def test_globs_that_share_a_text_intersect(one: str, other: str, text: str) -> None:
    if matches_freely(one, text) and matches_freely(other, text):
        assert intersect_freely(one, other)


@given(st.text("ab*", max_size=5), st.text("ab*", max_size=5))
def test_globs_that_intersect_share_a_text(one: str, other: str) -> None:
    if intersect_freely(one, other):
        assert any(matches_freely(one, text) and matches_freely(other, text) for text in _shared(one, other))


def _shared(one: str, other: str) -> Iterator[str]:
    """Texts that both could fit: the longer start, what is between in either, the longer end."""
    if "*" not in one or "*" not in other:
        yield from (one, other)
        return
    start = max(one.partition("*")[0], other.partition("*")[0], key=len)
    end = max(one.rpartition("*")[2], other.rpartition("*")[2], key=len)
    yield start + one.replace("*", "") + other.replace("*", "") + end


@given(st.lists(PRIVILEGES, max_size=6), PRIVILEGES)
def test_more_privileges_are_never_less_risky(some: list[str], more: str) -> None:
    assert privileges.assess([*some, more]).level >= privileges.assess(some).level


@given(RELATED)
def test_what_covers_more_is_as_risky(three: tuple[str, str, str]) -> None:
    wide, narrow, _ = three
    assert privileges.assess([wide]).level >= privileges.assess([narrow]).level or not fits(wide, narrow)
