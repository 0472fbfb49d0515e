"""The test bed: a real control plane on loopback, with Daypass installed by its own chart (see docs and ``make help``).

Used by the tests (``tests/conftest.py``), by ``make up`` and ``make demo``, and by nothing that is shipped.
"""

from bed.cluster import Bed
from bed.control_plane import ControlPlane
from bed.http import Response
from bed.processes import Process

__all__ = ["Bed", "ControlPlane", "Process", "Response"]
