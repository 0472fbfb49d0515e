"""A bed that stays: a process of its own holds it for ``make up``, until ``make down`` or its death ends it."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bed.cluster import Bed
from bed.folders import REPOSITORY, BedFolder
from bed.processes import NotReadyError
from bed.progress import say
from bed.users import PEOPLE, Context, kubeconfig

HOME: Final = Path(os.environ.get("DAYPASS_BED") or REPOSITORY / ".bed")
KUBECONFIG: Final = HOME / "kubeconfig"
ENVIRONMENT: Final = HOME / "env"
EXAMPLES: Final = REPOSITORY / "examples" / "demo"
_RUN: Final = HOME / "run"
_LOG: Final = HOME / "keeper.log"
_PID: Final = HOME / "keeper.pid"
_UP_SECONDS: Final = 180.0
_DOWN_SECONDS: Final = 30.0


def running() -> bool:
    """Whether a keeper holds the bed now."""
    try:
        with (_RUN / "owner.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def up() -> None:
    """Start a keeper that outlives us, show what it says, and return once Daypass answers."""
    HOME.mkdir(exist_ok=True, mode=0o700)
    KUBECONFIG.unlink(missing_ok=True)
    with _LOG.open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "bed", "keep"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "tools")},
        )
    try:
        _follow(keeper)
    except BaseException:
        with suppress(ProcessLookupError):
            keeper.terminate()
        raise


def _follow(keeper: subprocess.Popen[bytes]) -> None:
    """Show what the keeper says until the kubeconfig is there."""
    deadline = time.monotonic() + _UP_SECONDS
    with _LOG.open() as log:
        while True:
            up, ended = KUBECONFIG.exists(), keeper.poll() is not None
            sys.stderr.write(log.read())
            if up:
                return
            if ended or time.monotonic() > deadline:
                message = "the bed did not come up: see above"
                raise NotReadyError(message)
            time.sleep(0.1)


def down() -> bool:
    """End the keeper and everything that it holds; False when there was none."""
    was_running = running()
    if was_running:
        pid = int(_PID.read_text())
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _DOWN_SECONDS
        while running() and time.monotonic() < deadline:
            time.sleep(0.1)
        if running():
            os.kill(pid, signal.SIGKILL)  # its children die with it
    shutil.rmtree(HOME, ignore_errors=True)
    return was_running


def keep() -> None:
    """Hold a bed in ``.bed`` until SIGTERM: what ``up`` starts."""
    signal.signal(signal.SIGTERM, _end)
    folder = BedFolder.claim(_RUN)
    _PID.write_text(str(os.getpid()))
    bed = Bed.launch(folder)
    try:
        bed.install()
        bed.start()
        for name in ("cluster.yaml", "policies.yaml"):
            bed.kubectl("apply", "-f", str(EXAMPLES / name))
        link_tools(bed)
        write_kubeconfig(bed, KUBECONFIG)
        while True:
            signal.pause()
    finally:
        bed.stop()
        shutil.rmtree(HOME, ignore_errors=True)


def write_kubeconfig(bed: Bed, path: Path) -> None:
    """One file with a context for each user; appears complete or not at all."""
    contexts = [Context(user, bed.credentials(user), "demo") for user in (*PEOPLE, "agent")]
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(kubeconfig(bed.endpoint.server, bed.endpoint.authority_file, contexts))
    partial.rename(path)


def link_tools(bed: Bed) -> None:
    """Put ``kubectl`` and ``helm`` of the bed, and ``daypass``, in ``.bed/bin``; a shell that sources ``.bed/env`` uses them."""
    folder = HOME / "bin"
    folder.mkdir(exist_ok=True)
    daypass = Path(sys.executable).with_name("daypass")
    for tool in (bed.endpoint.binaries.kubectl, bed.endpoint.binaries.helm, daypass):
        link = folder / tool.name
        link.unlink(missing_ok=True)
        link.symlink_to(tool)
    ENVIRONMENT.write_text(f'export KUBECONFIG="{KUBECONFIG}"\nexport PATH="{folder}:$PATH"\n')


def _end(_number: int, _frame: object) -> None:
    say("stopping")
    raise SystemExit(0)
