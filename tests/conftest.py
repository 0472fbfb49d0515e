"""Fixtures of the whole suite: beds (real API servers) of three degrees, and a namespace of one's own on them."""

import itertools
from collections.abc import Generator, Iterator
from http import HTTPStatus

import pytest
from hypothesis import HealthCheck, settings

from bed import Bed
from bed.elsewhere import launch_elsewhere
from bed.people import populate

POLICIES = "/apis/daypass.dev/v1alpha1/approvalpolicies"
_BEDS = ("cluster", "bare_cluster", "control_plane")
_LONGEST = (
    "test_lifecycle_crash",
    "test_gate_life",
    "test_gate_hold",
    "test_lifecycle_threats",
    "test_gate_pods",
    "test_digest_pods",
    "test_gate_configuration_trouble",
    "test_lifecycle",
    "test_gate_asking",
    "test_gate_authors",
    "test_gate_life_crash",
    "test_gate_configuration",
    "test_readme_gate",
    "test_admission_outage",
)
"""Files that wait for clocks. ``make test`` deals files out in our order: what takes long must not be left at the end."""
_numbers = itertools.count(1)
_beds: dict[str, Bed] = {}

# Laws are tried on generated cases: the same in each run, and none is timed.
settings.register_profile(
    "daypass", deadline=None, derandomize=True, print_blob=False, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("daypass")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the tests that need an API server run."""
    parser.addoption(
        "--cluster",
        choices=("bed", "kind", "existing"),
        default="bed",
        help="bed: own control plane on loopback; kind: by pytest-kind; existing: the current kubeconfig context",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, then what else needs an API server, and last what needs none."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: (item.path.parent.name != "cluster", ranks.get(item.path.stem, len(ranks))))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for name in sorted(_beds.keys() & set(getattr(item, "fixturenames", ()))):
            report.sections.append((f"logs of {name}", _beds[name].logs()))
    return report


def _launched(request: pytest.FixtureRequest, name: str) -> Bed:
    where = request.config.getoption("--cluster")
    _beds[name] = Bed.launch() if where == "bed" else launch_elsewhere(where, name)
    return _beds[name]


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """A control plane with nothing of ours on it."""
    bed = _launched(request, "control_plane")
    yield bed
    bed.stop()


@pytest.fixture(scope="session")
def bare_cluster(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Chart installed and set up; none of our processes run: what the API server enforces by itself."""
    bed = _launched(request, "bare_cluster")
    try:
        bed.install()
        yield bed
    finally:
        bed.stop()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Bed]:
    """Daypass installed and running. A test that kills a process starts it again before it ends."""
    bed = _launched(request, "cluster")
    try:
        bed.install()
        bed.start()
        yield bed
    finally:
        bed.stop()


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace on the bed that the test uses: see ``people.populate`` for who may do what in it.

    Policies that carry its name go with the test: a gate on objects of the whole cluster would stand in others' way.
    """
    beds = [request.getfixturevalue(name) for name in _BEDS if name in request.fixturenames]
    beds = beds or [request.getfixturevalue("cluster")]
    name = f"test-{next(_numbers)}"
    for bed in beds:
        populate(bed, name)
    yield name
    for bed in beds:
        found = bed.request("GET", POLICIES)
        for policy in found.json["items"] if found.status == HTTPStatus.OK else ():
            if policy["metadata"]["name"].endswith(f"-{name}"):
                bed.request("DELETE", f"{POLICIES}/{policy['metadata']['name']}")
