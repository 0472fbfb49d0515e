"""How a request's state reads in a sentence."""

import pytest

from daypass.domain.conditions import State
from daypass.domain.wording import fate


@pytest.mark.parametrize(
    ("state", "message", "read"),
    [
        (State.DENIED, "Denied by bob: no", "was denied by bob: no"),
        (State.DENIED, "no policy lets alice", "was denied: no policy lets alice"),
        (State.DENIED, "", "was denied"),
        (State.REVOKED, "Revoked by bob", "was revoked by bob"),
        (State.RELEASED, "Released by alice: done", "was released by alice: done"),
        (State.EXPIRED, "The time of the grant is over", "is Expired: The time of the grant is over"),
        (State.TIMED_OUT, "", "is TimedOut"),
    ],
)
def test_what_became_of_a_request(state: State, message: str, read: str) -> None:
    assert fate(state, message) == read
