"""The configurations are kept, on an API server in memory that can be made to refuse, to lie and to be late (T46)."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.fake_server import Body, FakeServer
from daypass.app.gates.configurations import GATES, HOLDS, essence
from daypass.app.gates.entries import HINT, entries_of
from daypass.app.gates.keeper import Keeper
from daypass.app.gates.kept import Kept
from daypass.app.policies.known import Policies
from daypass.app.ports import CLUSTER_ROLES, CONFIG_MAPS, ConflictError, Json, RefusedError, Resource, UnavailableError
from daypass.domain.gate_bounds import Bounds

ENDPOINT = '{"url": "https://127.0.0.1:9443/path", "caBundle": "Q0E="}'
OWN = "daypass-system"


class Server(FakeServer):
    """With PUT, and with an admission of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: Callable[[Json], str] = lambda _: ""
        self.lost = False
        self.written: list[tuple[str, list[str]]] = []

    async def create(self, resource: Resource, body: Json, namespace: str = "") -> Json:
        self._admit(body)
        return await super().create(resource, body, namespace)

    async def replace(self, resource: Resource, name: str, body: Json, namespace: str = "") -> Json:
        await self._answer("update", resource)
        self._admit(body)
        live = self.objects[(resource.plural, namespace, name)]
        if body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified", 409)
        given = copy.deepcopy(dict(body))
        given.pop("apiVersion"), given.pop("kind")
        found = self.put(resource, name, namespace, **given)
        if self.lost:
            self.lost = False
            raise UnavailableError("no answer")
        return found

    def _admit(self, body: Json) -> None:
        self.written.append(
            (body["metadata"]["name"], sorted({one["name"].partition(".")[0] for one in body["webhooks"]}))
        )
        refusal = self.refuses(body)
        if refusal:
            raise RefusedError(refusal, 403)


class Scene:
    """A keeper, its policies, and what it told."""

    def __init__(self) -> None:
        self.server = Server()
        self.policies = Policies()
        self.restorations: list[str] = []
        self.news: list[str] = []
        self.versions = 0
        self.keeper = self.another()
        self.server.put(CLUSTER_ROLES, "daypass-controller")
        self.server.put(CONFIG_MAPS, "daypass-gates-endpoint", OWN, data={"gates": ENDPOINT, "holds": ENDPOINT})

    def another(self) -> Keeper:
        return Keeper(self.server, self.policies, Bounds(OWN), self)

    def restored(self, configuration: Json, what: str) -> None:
        self.restorations.append(f"{configuration['metadata']['name']}: {what}")

    def settled(self, policy: str) -> None:
        self.news.append(policy)

    def write(self, name: str, *namespaces: str, gate: Any = None, **more: Any) -> None:  # noqa: ANN401 - JSON
        self.versions += 1
        made = {"workloads": {"namespaces": list(namespaces), "privileges": ["Baseline"]}} if gate is None else gate
        spec = {"effect": "Deny", "match": {}, **({"gate": made} if made else {}), **more}
        metadata = {"name": name, "uid": name, "generation": self.versions, "resourceVersion": str(self.versions)}
        self.policies.take({"metadata": metadata, "spec": spec})

    def fault(self, name: str) -> str | None:
        policy = self.policies.find(name)
        assert policy is not None
        return self.keeper.fault(policy)

    def object(self, kind: Any = GATES) -> Body:  # noqa: ANN401 - one of the two
        return self.server.objects[(kind.resource.plural, "", kind.name)]

    def names(self, kind: Any = GATES) -> list[str]:  # noqa: ANN401 - one of the two
        return [one["name"].rpartition(HINT)[0] for one in self.object(kind)["webhooks"]]  # fmt: skip


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_it_writes_what_changed_and_nothing_else(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    assert scene.names() == ["a.pods", "a.connections"]
    assert scene.names(HOLDS) == ["a.authors"]
    assert scene.fault("a") == ""
    assert len(scene.server.written) == 2
    for keeper in (scene.keeper, scene.another()):
        await keeper.keep()
    assert len(scene.server.written) == 2
    scene.write("b", "bank")
    assert scene.fault("b") is None
    await scene.keeper.keep()
    assert scene.server.written[2:] == [("daypass-gates", ["a", "b"]), ("daypass-holds", ["a", "b"])]
    assert (scene.restorations, scene.news) == ([], ["a", "a", "b"])


async def test_without_gates_nothing_is_made_and_the_last_leaves_an_empty_one(scene: Scene) -> None:
    scene.write("plain", gate=False)
    await scene.keeper.keep()
    assert scene.server.written == []
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.policies.drop("a", "a")
    await scene.keeper.keep()
    assert (scene.names(), scene.names(HOLDS)) == ([], [])


@pytest.mark.parametrize("kind", [GATES, HOLDS])
async def test_t46_what_others_do_is_undone_and_told(scene: Scene, kind: Any) -> None:  # noqa: ANN401 - one of the two
    scene.write("a", "shop")
    await scene.keeper.keep()
    before = essence(scene.object(kind))
    edits: list[Callable[[Body], object]] = [
        lambda body: body.update(webhooks=[]),
        lambda body: body["webhooks"][0].update(failurePolicy="Ignore"),
        lambda body: body["metadata"].update(ownerReferences=[]),
        lambda body: body["metadata"].update(finalizers=["x/y"]),
        lambda body: body["metadata"].update(labels={}),
    ]
    for edit in edits:
        edit(scene.object(kind))
        scene.object(kind)["metadata"]["managedFields"] = [
            {"manager": "early", "time": "2026-01-01T00:00:00Z"},
            {"manager": "kubectl-edit", "time": "2026-01-02T00:00:00Z"},
        ]
        await scene.keeper.keep()
        assert essence(scene.object(kind)) == before
        assert scene.restorations.pop() == f"{kind.name}: it was changed by kubectl-edit"
    scene.server.remove(kind.resource, kind.name)
    await scene.keeper.keep()
    assert essence(scene.object(kind)) == before
    assert scene.restorations == [f"{kind.name}: it was deleted"]
    await scene.keeper.keep()
    assert len(scene.restorations) == 1


async def test_others_annotations_stay_and_are_no_change(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.object()["metadata"]["annotations"] = {"a": "b"}
    await scene.keeper.keep()
    scene.write("b", "shop")
    await scene.keeper.keep()
    assert scene.object()["metadata"]["annotations"] == {"a": "b"}
    assert scene.restorations == []


async def test_our_own_write_without_an_answer_is_nobody_elses(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.write("a", "bank")
    scene.server.lost = True
    with pytest.raises(UnavailableError):
        await scene.keeper.keep()
    await scene.keeper.keep()
    assert scene.restorations == []
    assert scene.fault("a") == ""


async def test_what_the_api_server_makes_of_it_is_not_fought(scene: Scene) -> None:
    scene.write("a", "shop")
    original = scene.server.put

    def put(resource: Resource, name: str, namespace: str = "", **rest: Any) -> Body:  # noqa: ANN401 - JSON
        for webhook in rest.get("webhooks", []):
            webhook["added"] = "by a newer version"
        return original(resource, name, namespace, **rest)

    scene.server.put = put  # type: ignore[method-assign]
    for _ in range(3):
        await scene.keeper.keep()
    assert len(scene.server.written) == 2
    assert scene.restorations == []


async def test_a_gate_that_is_refused_keeps_the_others_from_nothing(scene: Scene) -> None:
    scene.write("a", "shop")
    scene.write("bad", "bank")
    await scene.keeper.keep()
    stood = [one for one in scene.object()["webhooks"] if one["name"].startswith("bad.")]
    scene.server.refuses = lambda body: "no gate on the vault" if "vault" in str(body["webhooks"]) else ""
    scene.write("bad", "vault")
    scene.write("c", "garden")
    await scene.keeper.keep()
    assert (scene.fault("a"), scene.fault("bad"), scene.fault("c")) == ("", "no gate on the vault", "")
    assert scene.keeper.faults() == 1
    assert scene.names() == ["a.pods", "a.connections", "bad.pods", "bad.connections", "c.pods", "c.connections"]
    # What was gated before stays so.
    assert [one for one in scene.object()["webhooks"] if one["name"].startswith("bad.")] == stood
    scene.write("bad", "bank", "street")
    await scene.keeper.keep()
    assert scene.fault("bad") == ""


async def test_a_gate_that_goes_goes_though_another_is_refused(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.server.refuses = lambda body: "no" if "vault" in str(body["webhooks"]) else ""
    scene.policies.drop("a", "a")
    scene.write("bad", "vault")
    await scene.keeper.keep()
    assert scene.names() == []
    assert scene.fault("bad") == "no"


async def test_where_everything_is_refused_every_gate_says_so(scene: Scene) -> None:
    scene.write("a", "shop")
    scene.write("b", "shop")
    scene.server.refuses = lambda _: "not allowed"
    await scene.keeper.keep()
    assert (scene.fault("a"), scene.fault("b")) == ("not allowed", "not allowed")
    scene.server.refuses = lambda _: ""
    await scene.keeper.keep()
    assert (scene.fault("a"), scene.fault("b")) == ("", "")
    assert scene.news == ["a", "b", "a", "b"]


async def test_where_nothing_may_be_read_every_gate_says_so(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.server.broken["get", GATES.resource.plural] = RefusedError("may not get", 403)
    with pytest.raises(RefusedError):
        await scene.keeper.keep()
    assert scene.fault("a") == "may not get"
    scene.server.broken.clear()
    await scene.keeper.keep()
    assert scene.fault("a") == ""


async def test_t63_a_policy_that_cant_be_read_keeps_the_gate_that_it_has(scene: Scene) -> None:
    scene.write("a", "shop")
    scene.write("b", "shop")
    await scene.keeper.keep()
    scene.write("a", "shop", newField="of a newer version")
    assert list(scene.policies.unreadable) == ["a"]
    for keeper in (scene.keeper, scene.another()):  # also after a restart
        await keeper.keep()
        assert scene.names() == ["a.pods", "a.connections", "b.pods", "b.connections"]
    scene.policies.drop("a", "a")
    await scene.keeper.keep()
    assert scene.names() == ["b.pods", "b.connections"]


async def test_t52_a_new_path_is_followed_also_by_what_stands_as_it_is(scene: Scene) -> None:
    scene.write("a", "shop")
    scene.write("b", "shop")
    await scene.keeper.keep()
    scene.write("a", "shop", newField="of a newer version")
    other = ENDPOINT.replace("path", "another")
    scene.server.put(CONFIG_MAPS, "daypass-gates-endpoint", OWN, data={"gates": other, "holds": other})
    await scene.keeper.keep()
    urls = {one["clientConfig"]["url"] for kind in (GATES, HOLDS) for one in scene.object(kind)["webhooks"]}
    assert urls == {"https://127.0.0.1:9443/another"}
    assert scene.restorations == []


async def test_the_last_known_endpoint_serves_while_nobody_tells_one(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.server.remove(CONFIG_MAPS, "daypass-gates-endpoint", OWN)
    scene.write("b", "shop")
    await scene.keeper.keep()
    assert scene.fault("b") == ""
    scene.keeper = scene.another()
    await scene.keeper.keep()
    assert scene.fault("b") == "ConfigMap daypass-gates-endpoint does not say where the webhook is: run daypass setup"
    assert scene.names() == ["a.pods", "a.connections", "b.pods", "b.connections"]


async def test_t64_nothing_is_made_anew_while_daypass_is_uninstalled(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.server.remove(CLUSTER_ROLES, "daypass-controller")
    for kind in (GATES, HOLDS):
        scene.server.remove(kind.resource, kind.name)
    written = len(scene.server.written)
    await scene.keeper.keep()
    assert len(scene.server.written) == written
    assert "is Daypass being uninstalled?" in str(scene.fault("a"))


async def test_a_hold_is_demanded_before_it_is_put_on_and_put_on_no_more_before_it_is_not_demanded(
    scene: Scene,
) -> None:
    """Else a pod could be held with nobody to ask for it, and wait for ever."""
    hold = {"workloads": {"namespaces": ["shop"], "privileges": ["Baseline"], "onMissing": "Hold"}}
    scene.write("comes", gate=hold)
    await scene.keeper.keep()
    assert [name for name, _ in scene.server.written] == ["daypass-gates", "daypass-holds"]
    scene.server.written.clear()
    scene.policies.drop("comes", "comes")
    scene.write("next", gate=hold)
    await scene.keeper.keep()
    assert scene.server.written == [("daypass-holds", []), ("daypass-gates", ["next"]), ("daypass-holds", ["next"])]


async def test_somebody_who_writes_at_the_same_time_is_looked_at_again(scene: Scene) -> None:
    scene.write("a", "shop")
    await scene.keeper.keep()
    scene.write("a", "bank")
    plural = GATES.resource.plural
    scene.server.before[("update", plural)] = lambda: scene.server.put(
        GATES.resource, GATES.name, webhooks=[], metadata=dict(scene.object()["metadata"])
    )
    with pytest.raises(ConflictError):
        await scene.keeper.keep()
    await scene.keeper.keep()
    assert scene.names() == ["a.pods", "a.connections"]
    assert scene.restorations == ["daypass-gates: it was changed"]


async def test_one_policy_that_breaks_the_computation_breaks_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.write("a", "shop")
    scene.write("odd", "shop")
    real = entries_of

    def breaking(policy: Any, terms: Any) -> Any:  # noqa: ANN401 - as the original
        if policy.name == "odd":
            raise KeyError("what nobody thought of")
        return real(policy, terms)

    monkeypatch.setattr("daypass.app.gates.keeper.entries_of", breaking)
    await scene.keeper.keep()
    assert scene.names() == ["a.pods", "a.connections"]
    assert scene.fault("odd") == "its gate could not be computed: KeyError: 'what nobody thought of'"


async def test_what_is_not_there_has_no_webhooks(scene: Scene) -> None:
    kept = Kept(scene.server, GATES)
    await kept.read()
    assert kept.webhooks("a", {}) == ()
    assert kept.without({}) is None
