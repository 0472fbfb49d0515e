"""Fixtures of the whole suite: beds (real API servers) of three degrees, and a namespace of one's own on them."""

import itertools
from collections.abc import Callable, Generator, Iterator
from fnmatch import fnmatch
from functools import cache
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from bed import Bed
from bed.elsewhere import launch_elsewhere
from bed.people import populate

POLICIES = "/apis/daypass.dev/v1alpha1/approvalpolicies"
_BEDS = ("bare_cluster", "control_plane", "cluster")
_FILES = {
    "bare_cluster": ("test_admission_*", "test_api_server_policies_*", "test_setup"),
    "control_plane": (
        *("test_bed", "test_cache", "test_client", "test_crd", "test_crds", "test_digest_command", "test_digest_pods"),
        *("test_discovery", "test_events", "test_gate_configuration_actions", "test_gate_configuration_reach"),
        *("test_gate_configuration_shapes", "test_lease", "test_privileges", "test_resources"),
    ),
}
"""Files whose tests use these beds. One worker runs all of a bed's: a bed costs some 15 s of a processor."""
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
    """Bed after bed, the longest files first, and last what needs no API server."""
    ranks = {name: rank for rank, name in enumerate(_LONGEST)}

    def order(item: pytest.Item) -> tuple[int, int]:
        bed = _bed_of(item.path) or ("cluster" if item.path.parent.name == "cluster" else "")
        return _BEDS.index(bed) if bed else len(_BEDS), ranks.get(item.path.stem, len(ranks))

    items.sort(key=order)


class _ByBed(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Deals out file after file, and all those of one bed at once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return _bed_of(Path(file)) or file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """What ``make test`` deals files out with."""
    return _ByBed(config, log)


@cache
def _bed_of(file: Path) -> str:
    return next((bed for bed, names in _FILES.items() if any(fnmatch(file.stem, name) for name in names)), "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for name in sorted(_beds.keys() & set(getattr(item, "fixturenames", ()))):
            report.sections.append((f"logs of {name}", _beds[name].logs()))
    return report


@pytest.fixture(scope="session")
def beds() -> Iterator[dict[str, Bed]]:
    """The one that runs, by its name."""
    yield _beds
    _stop()


def _launched(request: pytest.FixtureRequest, name: str, prepare: Callable[[Bed], None]) -> Bed:
    """The bed of that name. It takes the place of the one before: what needed that has been run, as we order it."""
    beds: dict[str, Bed] = request.getfixturevalue("beds")
    if name not in beds:
        where = request.config.getoption("--cluster")
        bed = Bed.launch() if where == "bed" else launch_elsewhere(where, name)
        _stop()
        beds[name] = bed
        try:
            prepare(bed)
        except BaseException:
            _stop()
            raise
    return beds[name]


def _stop() -> None:
    while _beds:
        _beds.popitem()[1].stop()


@pytest.fixture(scope="module")
def control_plane(request: pytest.FixtureRequest) -> Bed:
    """A control plane with nothing of ours on it."""
    return _launched(request, "control_plane", lambda _: None)


@pytest.fixture(scope="module")
def bare_cluster(request: pytest.FixtureRequest) -> Bed:
    """Chart installed and set up; none of our processes run: what the API server enforces by itself."""
    return _launched(request, "bare_cluster", Bed.install)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Bed:
    """Daypass installed and running. A test that kills a process starts it again before it ends."""

    def prepare(bed: Bed) -> None:
        bed.install()
        bed.start()

    return _launched(request, "cluster", prepare)


def _keep_running(bed: Bed) -> None:
    """As a kubelet would: the API server of a busy machine may keep a leader from renewing its Lease, which ends it."""
    controller = bed.controller
    assert controller.exit_code != 1 or "lease lost" in controller.log[-3000:], controller.log[-3000:]
    bed.start()


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace on the bed that the test uses: see ``people.populate`` for who may do what in it.

    Policies that carry its name go with the test: a gate on objects of the whole cluster would stand in others' way.
    """
    beds = [request.getfixturevalue(name) for name in _BEDS if name in request.fixturenames]
    beds = beds or [request.getfixturevalue("cluster")]
    name = f"test-{next(_numbers)}"
    for bed in beds:
        if "cluster" in _beds:
            _keep_running(bed)
        populate(bed, name)
    yield name
    for bed in beds:
        found = bed.request("GET", POLICIES)
        for policy in found.json["items"] if found.status == HTTPStatus.OK else ():
            if f"-{name}-" in f"-{policy['metadata']['name']}-":
                bed.request("DELETE", f"{POLICIES}/{policy['metadata']['name']}")
