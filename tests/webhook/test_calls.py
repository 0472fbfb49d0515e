"""The quick way to read a review agrees with the model, whatever is sent (T49)."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daypass.webhook import calls
from daypass.webhook.decoding import UnreadableError
from webhook.desk import a_manifest, a_review

JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.text(max_size=2) | st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=2), max_size=2) | st.none(), max_size=2)
    | st.sampled_from(["CREATE", "DELETE", "x" * 129, "é", "\ud800", "pods", 1.0])
)
REVIEW = a_review("UPDATE", "accessrequests/status", new=a_manifest(), old=a_manifest(), dry_run=True)
REQUEST = REVIEW["request"]
PLACES = [
    *(("request", key) for key in REQUEST),
    *(("request", key, inner) for key in ("kind", "resource", "userInfo") for inner in REQUEST[key]),
    *((key,) for key in REVIEW),
]


@settings(max_examples=2000)
@given(st.sampled_from(PLACES), JUNK, st.booleans())
def test_t49_the_quick_way_agrees_with_the_model(place: tuple[str, ...], junk: Any, gone: bool) -> None:  # noqa: ANN401, FBT001
    review = deepcopy(REVIEW)
    *way, last = place
    holder: Any = review
    for step in way:
        holder = holder[step]
    if gone:
        del holder[last]
    else:
        holder[last] = junk
    quick = calls._plainly(review)
    if quick is not None:
        assert quick == calls._closely(review)


@pytest.mark.parametrize("review", [REVIEW, a_review("CREATE", new=a_manifest()), a_review("DELETE", old=a_manifest())])
def test_reviews_as_the_api_server_writes_them_are_read_the_quick_way(review: dict[str, Any]) -> None:
    assert calls._plainly(review) == calls._closely(review) == calls.call_from(review)


def test_names_beyond_ascii_are_the_models_business() -> None:
    review = a_review("CREATE", new=a_manifest(), user="zoë")
    assert calls._plainly(review) is None
    assert calls.call_from(review)[1].caller.username == "zoë"


@pytest.mark.parametrize("key", ["user_info", "sub_resource", "dry_run"])
def test_only_the_spelling_of_the_api_counts(key: str) -> None:
    review = a_review("CREATE", new=a_manifest())
    review["request"][key] = review["request"].pop("userInfo") if key == "user_info" else True
    if key == "user_info":
        with pytest.raises(UnreadableError, match="userInfo"):
            calls.call_from(review)
    else:
        assert calls.call_from(review)[1].resource == "accessrequests"
