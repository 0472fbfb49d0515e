"""Which kinds the API server serves, and where their objects are: what kubectl asks anew each time that it runs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from bed.http import Response

DISCOVERY: Final = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; ``names`` are those by which kubectl knows it, and ``apiVersion/Kind`` in full."""

    folder: str
    plural: str
    namespaced: bool
    names: frozenset[str]

    def path(self, name: str, namespace: str) -> str:
        """Where the object of that name is; ``namespace`` is not looked at where the kind has none."""
        within = f"/namespaces/{namespace or 'default'}" if self.namespaced else ""
        return f"{self.folder}{within}/{self.plural}/{name}"


class Kinds:
    """All kinds; asked for again when one is wanted that was not served before."""

    def __init__(self, get: Callable[[str], Response]) -> None:
        """``get`` asks for a path with the headers ``DISCOVERY``."""
        self._get = get
        self._known: dict[str, Kind] = {}

    def named(self, name: str) -> Kind | None:
        """By one of its names; None where no such kind is served. The core group goes first, as with kubectl."""
        if name not in self._known:
            self._known = {each: kind for kind in reversed([*self._served()]) for each in kind.names}
        return self._known.get(name)

    def _served(self) -> Iterator[Kind]:
        for root in ("/api", "/apis"):
            for group in self._get(root).json["items"]:
                name = group["metadata"].get("name", "")
                for version in group["versions"]:
                    full = f"{name}/{version['version']}" if name else version["version"]
                    for resource in version.get("resources", ()):
                        yield _kind(f"{root}/{full}", full, resource)


def _kind(folder: str, version: str, resource: dict[str, Any]) -> Kind:
    plural, kind = resource["resource"], resource["responseKind"]["kind"]
    names = {plural, resource["singularResource"], f"{version}/{kind}", *resource.get("shortNames", ())}
    return Kind(folder, plural, resource["scope"] == "Namespaced", frozenset(names))
