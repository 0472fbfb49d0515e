"""One folder for each bed: several side by side, none left behind by the dead."""

import subprocess
import sys
from pathlib import Path

import pytest

from bed.folders import REPOSITORY, BedFolder, cache


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_beds_side_by_side_have_folders_of_their_own() -> None:
    first, second = BedFolder.fresh(), BedFolder.fresh()
    assert first.path != second.path
    assert first.path.exists()
    first.remove()
    assert not first.path.exists()
    assert second.path.exists()
    second.remove()


def test_a_dead_owners_folder_is_removed_and_a_living_ones_kept(tmp_path: Path) -> None:
    living = BedFolder.fresh()
    program = f"import tempfile; tempfile.tempdir = {str(tmp_path)!r}\nfrom bed.folders import BedFolder\n"
    program += "print(BedFolder.fresh().path)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(REPOSITORY / "tools")},
        capture_output=True,
        text=True,
        check=True,
    )
    dead = Path(done.stdout.strip())
    assert dead.exists()
    BedFolder.fresh().remove()
    assert not dead.exists()
    assert living.path.exists()
    living.remove()


def test_a_claimed_folder_is_emptied_and_held(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "old").mkdir(parents=True)
    held = BedFolder.claim(folder)
    assert [entry.name for entry in folder.iterdir()] == ["owner.lock"]
    with pytest.raises(BlockingIOError):
        BedFolder.claim(folder)
    held.remove()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DAYPASS_CACHE": "/somewhere", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/somewhere"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/daypass"),
        ({"HOME": "/home/me"}, "/home/me/.cache/daypass"),
    ],
)
def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str) -> None:
    for name in ("DAYPASS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache()) == expected
