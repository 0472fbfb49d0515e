"""The webhook alone: the real process on a core of its own, before an API server on paper with a large company in it."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trustme

from bed import ports
from bed.daypass import ready_at
from bed.install import environment
from bed.processes import Process
from bench import estate, samples
from bench.estate import Json
from bench.load import SERVER_CORE, Generator, Plan, Result
from bench.paper import PaperServer, account
from daypass.app.admission.answer import allow
from daypass.webhook.answers import admission_review

PATHS: Final = {
    name: digit * 64 for name, digit in (("mutating", "a"), ("validating", "b"), ("gates", "c"), ("holds", "d"))
}


@dataclass(frozen=True, slots=True)
class Said:
    """A review, and what its answer must hold."""

    review: bytes
    wanted: str


@dataclass(frozen=True, slots=True)
class Outpost:
    """A webhook that is ready, and what is needed to call it."""

    webhook: Process
    folder: Path
    address: str
    generator: Generator
    server: PaperServer

    @property
    def authority(self) -> Path:
        """Of every certificate here."""
        return self.folder / "account" / "ca.crt"

    async def load(self, said: Sequence[Said], *, seconds: float, connections: int, rate: float = 0) -> Result:
        """Call the door of the gates with these in turn."""
        return await self.generator.run(self._plan(self.address, said, seconds, connections, rate))

    async def floor(self, said: Sequence[Said], *, seconds: float, connections: int, rate: float = 0) -> Result:
        """The same calls to the least server that there can be: what the generator and TLS take of it all."""
        answer = self.folder / "answer.json"
        answer.write_bytes(admission_review("uid", allow("NotGated")))
        serving = self.folder / "serving"
        server, address = await self.generator.serve(serving / "tls.crt", serving / "tls.key", answer)
        try:
            calls = [Said(one.review, "response") for one in said]
            return await self.generator.run(self._plan(address, calls, seconds, connections, rate))
        finally:
            server.kill()
            await server.wait()

    def _plan(self, address: str, said: Sequence[Said], seconds: float, connections: int, rate: float) -> Plan:
        files = []
        for number, one in enumerate(said):
            file = self.folder / f"review-{number}.json"
            file.write_bytes(one.review)
            files.append(file)
        return Plan(
            address=address,
            authority=self.authority,
            path=f"/{PATHS['gates']}",
            bodies=files,
            wanted=[one.wanted for one in said],
            connections=connections,
            seconds=seconds,
            rate=rate,
            mark=samples.MARK,
            headers={"Content-Type": "application/json", "User-Agent": "bench", "Accept-Encoding": "gzip"},
        )

    def memory(self) -> tuple[float, float]:
        """Resident memory of the webhook in MiB: now, and at its highest."""
        lines = Path(f"/proc/{self.webhook.pid}/status").read_text().splitlines()
        found = {line.partition(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
        return int(found["VmRSS"]) / 1024, int(found["VmHWM"]) / 1024

    def cpu_seconds(self) -> float:
        """Processor time of the webhook so far."""
        fields = Path(f"/proc/{self.webhook.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def outpost(policies: list[Json], requests: int) -> AsyncIterator[Outpost]:
    """Start it before so many policies and requests; ends with it."""
    generator = await asyncio.to_thread(Generator.built)
    authority, keys = trustme.CA(), estate.Keys()
    lists = estate.lists(policies, requests, max(1, len(policies) - estate.FLEET), keys)
    objects = {"replicasets/web-6c5d8": _replica_set()}
    server = PaperServer(lists, objects)
    with tempfile.TemporaryDirectory(prefix="daypass-bench-") as name:
        folder = Path(name)
        async with server.serving(authority):
            webhook, address = _process(folder, server.url, authority, keys)
            try:
                _start_on_core(webhook)
                await asyncio.to_thread(webhook.wait_ready, 60)
                yield Outpost(webhook, folder, address, generator, server)
            finally:
                await asyncio.to_thread(webhook.kill)


def _process(folder: Path, server: str, authority: trustme.CA, keys: estate.Keys) -> tuple[Process, str]:
    account(folder / "account", authority)
    serving, signing, paths = (folder / each for each in ("serving", "signing", "paths"))
    for each in (serving, signing, paths):
        each.mkdir()
    certificate = authority.issue_cert("127.0.0.1")
    (serving / "tls.key").write_bytes(certificate.private_key_pem.bytes())
    (serving / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (signing / f"{keys.id}.pem").write_bytes(keys.private)
    (signing / "active").write_text(keys.id)
    for path, secret in PATHS.items():
        (paths / path).write_text(secret)
    listen, health = (f"127.0.0.1:{port}" for port in ports.reserve(2))
    command = [
        *(sys.executable, "-m", "daypass", "webhook", "--server", server, "--service-account-dir"),
        *(str(folder / "account"), "--health-address", health, "--listen", listen),
        *("--serving-dir", str(serving), "--signing-dir", str(signing), "--paths-dir", str(paths)),
    ]
    return Process(command, folder / "webhook.log", ready_at(health), environment()), listen


def _start_on_core(process: Process) -> None:
    """Linux gives a child the cores of the thread that starts it; the bed starts all of them in one of its own."""
    process.start()
    pid = process.pid
    assert pid is not None
    os.sched_setaffinity(pid, {SERVER_CORE})


def _replica_set() -> Json:
    """The owner of every pod here, made by somebody who is no agent."""
    metadata = {"name": "web-6c5d8", "uid": "uid-of-web", "annotations": {"daypass.dev/authors": "alice"}}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata}
