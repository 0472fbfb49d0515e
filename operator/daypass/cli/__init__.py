"""The ``daypass`` command."""
