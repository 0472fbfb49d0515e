"""Where the control plane's binaries come from: each source falls to the next, and nothing unpinned is run."""

import hashlib
import io
import shutil
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bed import archive, binaries, gobuild, pins

NAMES = [tool.name for tool in pins.TOOLS]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, no assets, no network and no Go."""
    monkeypatch.setenv("DAYPASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr(pins, "envtest_address", lambda: "http://127.0.0.1:1/nobody-listens")
    monkeypatch.setattr(shutil, "which", _which_without_go)
    return tmp_path / "cache" / "testbed" / pins.key()


@pytest.fixture
def served(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """An archive on loopback in place of the official one, and its bytes."""
    assert not cache.exists()
    body = _archive({name: name.encode() for name in pins.ENVTEST_TOOLS})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(pins, "envtest_address", lambda: f"http://127.0.0.1:{server.server_address[1]}/envtest.tar.gz")
    yield body
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.usefixtures("cache")
def test_assets_are_taken_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path / "assets", NAMES)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert binaries.locate().kube_apiserver == tmp_path / "assets" / "kube-apiserver"


def test_what_assets_lack_comes_from_the_cache(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tmp_path / "assets", ["etcd", "kube-apiserver", "kubectl"])
    _make(cache, NAMES)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    found = binaries.locate()
    assert found.etcd.parent == tmp_path / "assets"
    assert found.helm.parent == cache


def test_download_with_the_pinned_digest_is_unpacked(
    cache: Path, served: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "ENVTEST_SHA512", {pins.machine(): hashlib.sha512(served).hexdigest()})
    _make(cache, ["kube-controller-manager", "helm"])
    found = binaries.locate()
    assert found.kube_apiserver.read_bytes() == b"kube-apiserver"
    assert found.kube_apiserver.stat().st_mode & 0o111
    assert sorted(path.name for path in cache.iterdir()) == sorted(NAMES)


@pytest.mark.usefixtures("served")
def test_download_with_another_digest_is_never_unpacked(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(gobuild.BuildError, match="there is no Go"):
        binaries.locate()
    assert "not the pinned one" in capsys.readouterr().err
    assert not (cache / "kube-apiserver").exists()


@pytest.mark.usefixtures("cache")
def test_no_connection_falls_to_the_build_which_says_what_to_install(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(gobuild.BuildError, match="install Go"):
        binaries.locate()
    assert "building instead" in capsys.readouterr().err


def test_a_name_that_is_never_looked_up_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking a name up has no timeout of its own."""
    forever = threading.Event()
    monkeypatch.setattr(archive, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: forever.wait(60))
    archive.fetch(["etcd"], tmp_path)
    forever.set()
    assert not list(tmp_path.iterdir())


def test_digests_are_whole() -> None:
    assert {len(digest) for digest in pins.ENVTEST_SHA512.values()} == {128}


def test_another_version_is_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pins.key()
    monkeypatch.setattr(pins, "HELM", "v0.0.0")
    assert pins.key() != before


def _which_without_go(name: str, path: str | None = None) -> str | None:
    if path is None:
        return None
    file = Path(path) / name
    return str(file) if file.exists() else None


def _make(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(mode=0o755)


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
