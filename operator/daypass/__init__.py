"""Daypass: just-in-time access for AI agents and people on Kubernetes."""

__version__ = "0.1.0"
