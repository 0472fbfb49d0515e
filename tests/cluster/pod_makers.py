"""Manifests of every built-in kind that makes pods, all of one template that uses what controllers and API server touch."""

from typing import Any

Json = dict[str, Any]

KINDS = (
    *("pod", "deployment", "replica-set", "replication-controller", "stateful-set", "daemon-set"),
    *("job", "indexed-job", "cron-job", "indexed-cron-job"),
)
PODS = 3


def template(name: str, **spec: object) -> Json:
    """Reads its own labels, spreads by its own hash, has claims, limits without requests, and tolerations."""
    labels = {"app": name}
    own = {"matchLabels": labels}
    app = {
        "name": "app",
        "image": "registry.example/app:1",
        "command": ["sh", "-c", "./run $(TIER)"],
        "env": [
            {"name": "TIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['tier']"}}},
            {"name": "HASH", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['pod-template-hash']"}}},
            {
                "name": "INDEX",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}},
            },
        ],
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "volumeMounts": [{"name": "labels", "mountPath": "/labels"}, {"name": "scratch", "mountPath": "/tmp"}],
    }
    shown = [{"path": what, "fieldRef": {"fieldPath": f"metadata.{what}"}} for what in ("labels", "annotations")]
    return {
        "metadata": {"labels": labels, "annotations": {"tier": "gold"}},
        "spec": {
            "serviceAccountName": "agent",
            "initContainers": [{"name": "fetch", "image": "registry.example/fetch:1"}],
            "containers": [app],
            "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "labels", "downwardAPI": {"items": shown}}],
            "tolerations": [
                {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
                {
                    "key": "node.kubernetes.io/not-ready",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 60,
                },
            ],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "fake", "operator": "Exists"}]}]
                    }
                },
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "podAffinityTerm": {
                                "topologyKey": "zone",
                                "labelSelector": own,
                                "matchLabelKeys": ["pod-template-hash", "batch.kubernetes.io/job-completion-index"],
                            },
                        }
                    ]
                },
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": own,
                    "matchLabelKeys": ["pod-template-hash", "apps.kubernetes.io/pod-index", "controller-revision-hash"],
                }
            ],
            **spec,
        },
    }


def manifest(what: str, name: str = "") -> Json:
    """One of KINDS, for PODS pods where it says how many."""
    name = name or what
    select = {"selector": {"matchLabels": {"app": name}}}
    pods = {"replicas": PODS, "template": template(name)}
    job = {"completions": PODS, "parallelism": PODS, "template": template(name, restartPolicy="Never")}
    indexed = {**job, "completionMode": "Indexed"}
    runs = {"schedule": "* * * * *"}
    claims = [
        {
            "metadata": {"name": claim},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        for claim in ("wal", "data", "scratch")
    ]
    version, kind, body = {
        "pod": ("v1", "Pod", template(name)),
        "deployment": ("apps/v1", "Deployment", {"spec": {**select, **pods}}),
        "replica-set": ("apps/v1", "ReplicaSet", {"spec": {**select, **pods}}),
        "replication-controller": ("v1", "ReplicationController", {"spec": pods}),
        "stateful-set": (
            "apps/v1",
            "StatefulSet",
            {
                "spec": {
                    **select,
                    **pods,
                    "serviceName": "pets",
                    "podManagementPolicy": "Parallel",
                    "volumeClaimTemplates": claims,
                }
            },
        ),
        "daemon-set": ("apps/v1", "DaemonSet", {"spec": {**select, "template": template(name)}}),
        "job": ("batch/v1", "Job", {"spec": job}),
        "indexed-job": ("batch/v1", "Job", {"spec": indexed}),
        "cron-job": ("batch/v1", "CronJob", {"spec": {**runs, "jobTemplate": {"spec": job}}}),
        "indexed-cron-job": ("batch/v1", "CronJob", {"spec": {**runs, "jobTemplate": {"spec": indexed}}}),
    }[what]
    return {"apiVersion": version, "kind": kind, **body, "metadata": {**body.get("metadata", {}), "name": name}}


def node(name: str) -> Json:
    """A node that no kubelet runs."""
    condition = {"type": "Ready", "status": "True", "reason": "Fake", "message": "never dies in this test"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"fake": "yes"}},
        "status": {
            "conditions": [condition],
            "capacity": {"cpu": "8", "memory": "32Gi", "pods": "100"},
            "allocatable": {"cpu": "8", "memory": "32Gi", "pods": "100"},
        },
    }
