"""Which names a glob of a policy fits."""

import fnmatch
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daypass.domain.globs import matches

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "globs.yaml").read_text())


@pytest.mark.parametrize(("pattern", "text", "fits"), CASES)
def test_glob(pattern: str, text: str, *, fits: bool) -> None:
    assert matches(pattern, text) is fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_without_colons_a_glob_is_what_everybody_knows(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(st.text("ab*:", max_size=8), st.text("ab:", max_size=8))
def test_no_star_crosses_a_colon(pattern: str, text: str) -> None:
    if matches(pattern, text):
        assert pattern.count(":") == text.count(":")


def test_t51_a_pattern_of_many_stars_is_judged_at_once() -> None:
    """A pattern that backtracks would not end: 2 to the power of 1,000 ways."""
    assert not matches("a*" * 1000 + "b", "a" * 5000)
