"""The answer to nearly every review is put together from its parts: to the byte what would be encoded."""

from hypothesis import given
from hypothesis import strategies as st

from daypass.app.admission.answer import Answer, allow
from daypass.webhook import answers
from webhook.desk import UID


@given(
    st.text(max_size=20) | st.sampled_from([UID, "UID", '"', "é", "a\n"]),
    st.sampled_from(["NotGated", "UID", "Stamped"]),
)
def test_every_uid_is_echoed(uid: str, decision: str) -> None:
    answer = allow(decision)
    assert answers.admission_review(uid, answer) == answers._encoded(uid, answer)


@given(st.builds(Answer, allowed=st.booleans(), decision=st.just("It"), warnings=st.sampled_from([(), ("careful",)])))
def test_whatever_else_is_said_is_said(answer: Answer) -> None:
    assert answers.admission_review(UID, answer) == answers._encoded(UID, answer)
