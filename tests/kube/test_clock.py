"""T32: the API server's time from the whole seconds that it states."""

from datetime import UTC, datetime
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from daypass.kube.clock import DRIFT, ServerClock

START = 1_900_000_000.0


class Host:
    """A host whose clock is ``behind`` the server's by so many seconds."""

    def __init__(self, behind: float) -> None:
        self.monotonic = 50.0
        self.behind = behind
        self.clock = ServerClock(wall=lambda: self.server - self.behind, monotonic=lambda: self.monotonic)

    @property
    def server(self) -> float:
        return START + self.monotonic

    def call(self, there: float = 0.002, back: float = 0.002) -> None:
        sent = self.monotonic
        self.monotonic += there
        date = format_datetime(datetime.fromtimestamp(int(self.server), UTC), usegmt=True)
        self.monotonic += back
        self.clock.observe(date, sent, self.monotonic)

    @property
    def uncertainty(self) -> float:
        low, high = self.clock._bounds(self.monotonic)
        return high - low

    @property
    def error(self) -> float:
        return self.clock.timestamp() - self.server


def test_t32_host_that_agrees_with_the_server_keeps_its_own_time() -> None:
    host = Host(behind=0)
    for pause in (0.3, 0.01, 1.7, 0.9):
        host.call()
        host.monotonic += pause
        assert abs(host.error) < 1e-6


def test_t32_skew_is_found_and_judged_late_rather_than_early() -> None:
    host = Host(behind=30)
    assert host.error == -30
    for number in range(200):
        host.call()
        host.monotonic += 0.097
        assert 0 <= host.error <= 1.1, number
    assert host.error < 0.15
    assert 29.9 < host.clock.skew_seconds() < 30.2


def test_t32_server_whose_clock_was_set_is_followed_at_once() -> None:
    host = Host(behind=0)
    host.call()
    host.monotonic += 3
    date = format_datetime(datetime.fromtimestamp(int(host.server) + 3600, UTC), usegmt=True)
    host.clock.observe(date, host.monotonic, host.monotonic + 0.01)
    assert 3599 < host.error < 3601.1


def test_t32_host_clock_that_is_set_changes_nothing() -> None:
    host = Host(behind=0)
    host.call()
    host.behind = 4000
    assert abs(host.error) < 1e-6
    assert abs(host.clock.skew_seconds() - 4000) < 1e-6


def test_date_that_cannot_be_read_is_ignored() -> None:
    host = Host(behind=0)
    for text in ("", "yesterday", "Thu, 99 Foo"):
        host.clock.observe(text, 1, 2)
    assert abs(host.error) < 1e-6
    assert host.clock.now().tzinfo is UTC


@given(
    behind=st.floats(-100, 100),
    calls=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=20),
)
def test_t32_truth_is_always_within_the_stated_uncertainty(
    behind: float, calls: list[tuple[float, float, float]]
) -> None:
    host = Host(behind)
    for pause, there, back in calls:
        host.monotonic += pause
        host.call(there, back)
        assert abs(host.error) <= host.uncertainty + 1e-5
        # Late is at most a second and a slow answer; early happens only where the host's own clock fits the evidence.
        assert host.error >= -1e-5 or abs(host.error - -behind) < 1e-5
    assert host.uncertainty <= 1 + there + back + DRIFT + 1e-5
