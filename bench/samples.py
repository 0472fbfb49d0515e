"""Pods as web shops run them, and the AdmissionReviews about them: some 6 kB of JSON, as the API server writes it."""

import json
from typing import Any, Final

Json = dict[str, Any]

MARK: Final = "#########"
"""Where a load generator puts a number of its own into each review."""
REPLICA_SETS: Final = "system:serviceaccount:kube-system:replicaset-controller"
HOST_PATH: Final = {"name": "log", "hostPath": {"path": "/var/log", "type": ""}}
TOKEN: Final = {
    "name": "kube-api-access-bcdfg",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ],
        "defaultMode": 420,
    },
}
_MANAGED: Final = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "apiVersion": "v1",
    "time": "2026-03-02T12:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {
        "f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"app"}': {".": {}, "f:args": {}, "f:command": {}, "f:env": {}, "f:image": {}},
                'k:{"name":"sidecar"}': {".": {}, "f:args": {}, "f:command": {}, "f:env": {}, "f:image": {}},
            },
            "f:dnsPolicy": {},
            "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:emptyDir": {}}},
        },
    },
}


def spec(account: str = "agent", *volumes: Json) -> Json:
    """What a careful team writes: two containers that keep the Restricted profile, unless the volumes break it."""
    return {
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "config", "configMap": {"name": "config"}},
            TOKEN,
            *volumes,
        ],
        "containers": [_container("app", 12), _container("sidecar", 4)],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": account,
        "serviceAccount": account,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "schedulerName": "default-scheduler",
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }


def pod(namespace: str, *volumes: Json, owned: bool = True) -> Json:
    """A pod as admission sees it: of a ReplicaSet, or one that somebody made by hand."""
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-6c5d8",
        "uid": "uid-of-web",
        "controller": True,
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": f"web-{MARK}",
            "generateName": "web-",
            "namespace": namespace,
            "uid": f"705ab4f5-6393-11e8-b7cc-{MARK}",
            "creationTimestamp": "2026-03-02T12:00:00Z",
            "labels": {"app": "web", "pod-template-hash": "6c5d8"},
            "annotations": {"prometheus.io/scrape": "true"},
            **({"ownerReferences": [owner]} if owned else {}),
            "managedFields": [_MANAGED],
        },
        "spec": spec("agent", *volumes),
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


def review(body: Json, caller: str = REPLICA_SETS, *, dry_run: bool = False) -> bytes:
    """The AdmissionReview of a pod's creation."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    groups = ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
    asked = {
        "uid": f"0ddf00d5-6393-11e8-b7cc-{MARK}",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": body["metadata"]["name"],
        "namespace": body["metadata"]["namespace"],
        "operation": "CREATE",
        "userInfo": {
            "username": caller,
            "uid": "uid-of-caller",
            "groups": groups,
            "extra": {"authentication.kubernetes.io/credential-id": ["JTI=0ddf00d5"]},
        },
        "object": body,
        "oldObject": None,
        "dryRun": dry_run,
        "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    text = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked}
    return json.dumps(text, separators=(",", ":")).encode()


def _container(name: str, variables: int) -> Json:
    probe = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    return {
        "name": name,
        "image": f"registry.example/shop/{name}@sha256:{'ab' * 32}",
        "command": [f"/{name}/run", "--serve"],
        "args": ["--port=8080", "--verbose"],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{number}", "value": f"value of {number}"} for number in range(variables)],
        "resources": {
            "limits": {"cpu": "1", "memory": "1Gi"},
            "requests": {"cpu": "100m", "memory": "256Mi"},
        },
        "volumeMounts": [
            {
                "name": "kube-api-access-bcdfg",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in a container
            {"name": "config", "mountPath": f"/etc/{name}"},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, **probe},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080, "scheme": "HTTP"}, **probe},
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
