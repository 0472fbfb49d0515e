"""Laws are tried on generated cases: the same in each run, and none is timed."""

from hypothesis import settings

settings.register_profile("daypass", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("daypass")
