"""The templates for Kubernetes: valid by its schemas, hardened, and calling the command line as it is."""

from __future__ import annotations

import copy
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from .commands import parsed

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
KUBERNETES = "1.33"
PODS = ("job", "submitter", "head", "worker")


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DOCKER / name).read_text("utf-8")))


def job() -> dict[str, Any]:
    spec: dict[str, Any] = documents("kubernetes-job.yaml")[0]["spec"]
    return spec


def rayjob() -> dict[str, Any]:
    spec: dict[str, Any] = documents("kuberay.yaml")[0]["spec"]
    return spec


def pod(name: str) -> dict[str, Any]:
    """A pod's template in the job or the cluster."""
    if name == "job":
        return dict(job()["template"])
    cluster = rayjob()["rayClusterSpec"]
    places = {
        "submitter": rayjob()["submitterPodTemplate"],
        "head": cluster["headGroupSpec"]["template"],
        "worker": cluster["workerGroupSpecs"][0]["template"],
    }
    return dict(places[name])


@pytest.mark.parametrize("name", ["kubernetes-job.yaml", "kuberay.yaml"])
def test_kubernetes_takes_the_documents(name: str) -> None:
    """Every object that Kubernetes defines itself is valid by its own schema, without unknown fields."""
    known = [document for document in documents(name) if document["kind"] != "RayJob"]
    assert known and all(kubernetes_validate.validate(document, KUBERNETES, strict=True) for document in known)


@pytest.mark.parametrize("name", PODS)
def test_kubernetes_takes_the_pods(name: str) -> None:
    """The pods of the cluster, which Ray's operator makes of the templates, are valid by Kubernetes' schema as well."""
    whole = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(pod(name))}
    assert kubernetes_validate.validate(whole, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", PODS)
def test_pods_are_hardened(name: str) -> None:
    """Pod Security's level "restricted", and more: a fixed user, a read-only root, no token of the cluster's."""
    spec = pod(name)["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    assert all({"emptyDir", "persistentVolumeClaim"} & volume.keys() for volume in spec["volumes"])
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert "ports" not in container and {"requests", "limits"} <= container["resources"].keys()
        writable = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {"/tmp", "/cache"} <= writable <= {"/tmp", "/cache", "/dev/shm", "/data"}


def test_an_indexed_job_has_a_pod_for_every_shard() -> None:
    """As many completions as shards; wrong commands end it, images put aside end a shard, lost nodes cost nothing."""
    spec, container = job(), pod("job")["spec"]["containers"][0]
    found = parsed(container["args"])
    assert spec["completionMode"] == "Indexed" and spec["completions"] == found["shards"]
    assert found["executor"] == "index" and found["shard"] is None
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > found["grace"]
    rules = {rule["action"]: rule for rule in spec["podFailurePolicy"]["rules"]}
    assert rules["FailJob"]["onExitCodes"]["values"] == [2] and rules["FailIndex"]["onExitCodes"]["values"] == [3]
    assert rules["Ignore"]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]


def test_a_rayjob_is_what_its_operator_reads() -> None:
    """No schema of RayJob can be installed, so the fields are checked by hand against KubeRay's types."""
    (document,) = [d for d in documents("kuberay.yaml") if d["kind"] == "RayJob"]
    spec = document["spec"]
    assert document["apiVersion"] == "ray.io/v1" and document.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert spec.keys() == {
        "entrypoint", "submissionMode", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished",
        "submitterPodTemplate", "rayClusterSpec",
    }  # fmt: skip
    cluster = spec["rayClusterSpec"]
    assert cluster.keys() == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert cluster["headGroupSpec"].keys() == {"serviceType", "enableIngress", "rayStartParams", "template"}
    for group in cluster["workerGroupSpecs"]:
        assert group.keys() == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert all(isinstance(value, str) for group in groups for value in group["rayStartParams"].values())
    assert f"ray=={cluster['rayVersion']}\n" in (ROOT / "constraints.txt").read_text("utf-8")


def test_ray_is_closed_to_others() -> None:
    """Whoever reaches Ray's ports can run code on it: it asks for a token and answers its own pods and the operator."""
    (policy,) = [d for d in documents("kuberay.yaml") if d["kind"] == "NetworkPolicy"]
    label = policy["spec"]["podSelector"]["matchLabels"].items()
    assert all(label <= pod(name)["metadata"]["labels"].items() for name in PODS)
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    assert all("podSelector" in peer for rule in policy["spec"]["ingress"] for peer in rule["from"])
    cluster = rayjob()["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["headGroupSpec"]["serviceType"] == "ClusterIP" and not cluster["headGroupSpec"]["enableIngress"]


def test_a_rayjob_renders_where_the_gpus_are() -> None:
    """The entry point asks Ray for GPUs, the workers have them, and the head, which renders nothing, sees none."""
    program, *arguments = shlex.split(rayjob()["entrypoint"])
    found = parsed(arguments)
    assert program == "scenewright" and (found["executor"], found["ray"]) == ("ray", "auto")
    (worker,), (head,) = pod("worker")["spec"]["containers"], pod("head")["spec"]["containers"]
    assert found["per_gpu"] * int(worker["resources"]["limits"]["nvidia.com/gpu"]) >= 1
    assert found["threads"] * found["per_gpu"] <= int(worker["resources"]["limits"]["cpu"])
    assert "nvidia.com/gpu" not in head["resources"]["limits"]
    assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"} in head["env"]
