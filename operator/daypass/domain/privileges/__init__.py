"""Privileges of pods, by the names of the Pod Security Standards."""

from daypass.domain.privileges.finding import Finding

__all__ = ["Finding"]
