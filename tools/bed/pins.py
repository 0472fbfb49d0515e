"""Which versions the bed runs, and the digests that downloads must have."""

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bed.folders import REPOSITORY

KUBERNETES: Final = "v1.36.3"
HELM: Final = "v4.3.1"
MODULES: Final = REPOSITORY / "tools" / "testbed"


@dataclass(frozen=True, slots=True)
class Tool:
    """A binary of the bed: the module that pins it, its main package, and how long a cold build takes."""

    name: str
    module: Path
    package: str
    cold_build: str


TOOLS: Final = (
    Tool("etcd", MODULES / "kubernetes", "go.etcd.io/etcd/server/v3", "half a minute"),
    Tool("kubectl", MODULES / "kubernetes", "k8s.io/kubernetes/cmd/kubectl", "1 minute"),
    Tool("kube-apiserver", MODULES / "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "3 minutes"),
    Tool(
        "kube-controller-manager", MODULES / "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager", "1 minute"
    ),
    Tool("helm", MODULES / "helm", "helm.sh/helm/v4/cmd/helm", "2 minutes"),
)

ENVTEST: Final = "1.36.2"
"""The newest archive of the 1.36 series with a published digest; it has etcd, kube-apiserver and kubectl."""
ENVTEST_TOOLS: Final = ("etcd", "kube-apiserver", "kubectl")
ENVTEST_SHA512: Final = {
    # As in envtest-releases.yaml of kubernetes-sigs/controller-tools.
    "linux-amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    "linux-arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}


def machine() -> str:
    """Operating system and processor as Go names them."""
    processor = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{processor}"


def envtest_address() -> str:
    """Where the official archive for this machine is."""
    releases = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
    return f"{releases}/envtest-v{ENVTEST}/envtest-v{ENVTEST}-{machine()}.tar.gz"


def key() -> str:
    """Names the cache folder: another version, another sum of a module or another machine is another folder."""
    digest = hashlib.sha256(f"{KUBERNETES} {HELM} {ENVTEST} {machine()}".encode())
    for file in sorted(MODULES.glob("*/go.*")):
        digest.update(file.read_bytes())
    return f"{KUBERNETES}-{digest.hexdigest()[:16]}"
