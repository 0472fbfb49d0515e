"""``daypass digest`` as a user of the bed runs it."""

import subprocess
import sys
from pathlib import Path

from bed import Bed


def daypass_digest(
    bed: Bed, *args: str, user: str = "alice", text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """With this user's kubeconfig, unless the arguments name another."""
    own = () if "--kubeconfig" in args else ("--kubeconfig", str(bed.kubeconfig(user)))
    command = [sys.executable, "-m", "daypass", "digest", *own, *args]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "operator"), "HOME": str(bed.folder)}
    return subprocess.run(
        command, input=text, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
