"""What is wrong with an object, and where: all of it at once, each with the path of its field."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong; ``path`` is as in the manifest, such as ``spec.match.unless[0]``."""

    path: str
    message: str

    def __str__(self) -> str:
        """As the API server would say it."""
        return f"{self.path}: {self.message}" if self.path else self.message
