"""Daypass: approvals for what AI agents and people do on Kubernetes."""

__version__ = "0.1.0"
