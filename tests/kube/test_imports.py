"""What a process pays for: generated models and kopf cost 55 and 59 MiB, so the paths that don't need them stay free."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from daypass.kube.connection import ConnectionSettingsError, from_kubeconfig, in_cluster

SOURCE = Path(__file__).parents[2] / "operator"


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_in_cluster_processes_never_import_the_generated_models(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("c")
    loaded = _loaded(
        "import pathlib, daypass.kube.client, daypass.kube.cache, daypass.kube.lease, daypass.kube.events\n"
        "from daypass.kube.connection import in_cluster\n"
        f"in_cluster(pathlib.Path({str(tmp_path)!r}), 'https://127.0.0.1:1').token()"
    )
    assert "aiohttp" in loaded
    assert not {"kubernetes", "kopf", "pydantic"} & loaded


def test_command_line_imports_no_process() -> None:
    loaded = _loaded("import daypass.cli.main")
    assert not {"kubernetes", "kopf", "aiohttp", "pydantic", "cryptography"} & loaded


def test_service_account_folder_and_environment_of_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConnectionSettingsError, match="KUBERNETES_SERVICE_HOST"):
        in_cluster(tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    with pytest.raises(ConnectionSettingsError, match="token"):
        in_cluster(tmp_path)
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "ca.crt").write_text("no certificate")
    connection = in_cluster(tmp_path)
    assert connection.server == "https://[fd00::1]:443"
    assert connection.token() == "t"
    assert "static_token" not in repr(connection)
    with pytest.raises(ConnectionSettingsError, match="can't be read"):
        connection.ssl_context()


async def test_kubeconfig_that_skips_verification_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],'
        '"contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],'
        '"clusters": [{"name": "k", "cluster": {"server": "https://h", "insecure-skip-tls-verify": true}}]}'
    )
    with pytest.raises(ConnectionSettingsError, match="insecure-skip-tls-verify"):
        await from_kubeconfig(path)
    with pytest.raises(ConnectionSettingsError, match="can't be used"):
        await from_kubeconfig(tmp_path / "missing")


async def test_the_kubeconfig_that_is_named_is_the_one_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "elsewhere")
    monkeypatch.setenv("KUBECONFIG", path)
    with pytest.raises(ConnectionSettingsError, match=re.escape(f"kubeconfig {path} can't be used")):
        await from_kubeconfig()
