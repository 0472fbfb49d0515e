"""What somebody probably meant by a word that there is not."""

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(word: str, words: Collection[str]) -> str:
    """The closest of the words in brackets, or nothing: the only one that begins so, else the most alike."""
    by_lower = {known.lower(): known for known in words}
    longer = [known for known in by_lower if len(word) > 1 and known.startswith(word.lower())]
    closest = longer if len(longer) == 1 else get_close_matches(word.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[closest[0]]}?)" if closest else ""
