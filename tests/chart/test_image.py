"""The image and the chart agree; that it builds can't be tried here, where there is no container runtime."""

from pathlib import Path

from bed.folders import REPOSITORY
from chart.rendering import of_kind, render

DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def test_the_image_runs_as_the_user_that_the_chart_names(tmp_path: Path) -> None:
    deployments = of_kind(render(tmp_path), "Deployment")
    assert len(deployments) == 2
    for deployment in deployments:
        context = deployment["spec"]["template"]["spec"]["securityContext"]
        assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in DOCKERFILE


def test_everything_is_installed_by_hash() -> None:
    installs = [line for line in DOCKERFILE.splitlines() if "pip" in line and " install " in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--no-index" in line, line


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = {line.removeprefix("!") for line in (REPOSITORY / ".dockerignore").read_text().splitlines()}
    for line in DOCKERFILE.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (REPOSITORY / source).exists(), source
                assert source in allowed or (source.startswith("requirements") and "requirements*.lock" in allowed)
