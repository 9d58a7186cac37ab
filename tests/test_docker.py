"""The container images: linted, locked, and without rights that they do not need. No container engine is used."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenewright.render.doctor import SYSTEM_LIBRARIES

from .benchmarks.try_image import lines, sent
from .commands import parsed

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
DOCKERFILES = ("Dockerfile", "Dockerfile.nvidia", "Dockerfile.diffusion")
INSTALL = (DOCKER / "install.sh").read_text("utf-8")
BIN = Path(sys.executable).parent


def text(name: str) -> str:
    return (DOCKER / name).read_text("utf-8")


def final_stage(name: str) -> list[tuple[str, str]]:
    """The lines of the image itself, after the last FROM."""
    found = lines(DOCKER / name)
    return found[max(k for k, (word, _) in enumerate(found) if word == "FROM") + 1 :]


def environment(name: str) -> dict[str, str]:
    (rest,) = [rest for word, rest in final_stage(name) if word == "ENV"]
    return dict(item.split("=", 1) for item in shlex.split(rest))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text("compose.yaml"))
    return loaded


@pytest.mark.parametrize("name", DOCKERFILES)
def test_hadolint_finds_nothing(name: str) -> None:
    """hadolint's rules hold in full: nothing is switched off."""
    assert "hadolint ignore" not in text(name)
    command = [f"{BIN}/hadolint", "--failure-threshold", "style", "--no-color", f"{DOCKER}/{name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", ["install.sh", "slurm.sh"])
def test_shellcheck_finds_nothing(script: str) -> None:
    """shellcheck's rules hold; one that is switched off says why on its line."""
    assert all("  # " in line for line in text(script).splitlines() if "shellcheck disable" in line)
    done = subprocess.run(
        [BIN / "shellcheck", DOCKER / script], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_nobody_special(name: str) -> None:
    """The user is a fixed number that Kubernetes can tell from root, owns the two volumes, and no port is opened."""
    stage = final_stage(name)
    words = [word for word, _ in stage]
    user = next(rest for word, rest in stage if word == "USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user) and words.index("USER") > words.index("RUN")
    assert f"ID={user.split(':')[0]}\n" in INSTALL and not {"EXPOSE", "ADD"} & {*words}
    assert json.loads(next(rest for word, rest in stage if word == "VOLUME")) == ["/cache", "/data"]
    assert json.loads(next(rest for word, rest in stage if word == "ENTRYPOINT"))[-1] == "scenewright"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_everything_that_is_written_lies_on_the_volume_of_caches(name: str) -> None:
    """With a read-only root a cache elsewhere is a failure, or kernels compiled anew for every container."""
    found = environment(name)
    caches = {key: value for key, value in found.items() if key == "HOME" or "CACHE_" in key}
    places = {key: value for key, value in caches.items() if not value.isdigit()}
    assert all(value == "/cache" or value.startswith("/cache/") for value in places.values())
    assert {"HOME", "XDG_CACHE_HOME"} <= places.keys() and found["PYTHONDONTWRITEBYTECODE"] == "1"
    if name != "Dockerfile":
        assert {"CUDA_CACHE_PATH", "OPTIX_CACHE_PATH", "__GL_SHADER_DISK_CACHE_PATH"} <= places.keys()
        assert {*found["NVIDIA_DRIVER_CAPABILITIES"].split(",")} == {"compute", "graphics", "utility"}


def test_every_system_library_that_doctor_knows_is_installed() -> None:
    """What `doctor` would miss is in the images, and what EEVEE needs beside it."""
    (listed,) = re.findall(r'^LIBRARIES="(.*)"$', INSTALL, re.MULTILINE)
    assert {debian for debian, _ in SYSTEM_LIBRARIES.values()} | {"libegl1"} <= set(listed.split())


def test_versions_are_locked() -> None:
    """Dependencies come in the versions of constraints.txt, as wheels, torch in the Makefile's; the base is named."""
    assert "--only-binary :all:" in INSTALL and '--constraint "$SOURCE/constraints.txt"' in INSTALL
    (torch,) = re.findall(r"torch==(\S+)", (ROOT / "Makefile").read_text("utf-8"))
    assert f"ARG TORCH={torch}\n" in text("Dockerfile.diffusion")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for name in DOCKERFILES:
        found = lines(DOCKER / name)
        assert ("ARG", "BASE=debian:12-slim") in found
        (asked,) = [rest for word, rest in found if word == "ARG" and rest.startswith("EXTRAS=")]
        assert {*asked.removeprefix("EXTRAS=").split(",")} <= extras.keys() - {"dev"}
        assert all(rest.split()[0] == "${BASE}" for word, rest in found if word == "FROM")


@pytest.mark.parametrize("name", DOCKERFILES)
def test_nothing_of_the_tools_stays(name: str) -> None:
    """The image is the last stage: of the first it takes the environment alone, and pip is only lent to it."""
    copied = [rest for word, rest in final_stage(name) if word == "COPY"]
    assert copied == ["--from=build /opt/scenewright /opt/scenewright"]
    asked = {word for line in re.findall(r"^    from_debian (.*)$", INSTALL, re.MULTILINE) for word in line.split()}
    assert asked == {"ca-certificates", "python3.11", "python3.11-venv", "tini", "$LIBRARIES"}
    assert "venv --without-pip" in INSTALL


def test_secrets_and_leftovers_stay_out_of_the_build() -> None:
    """The builder is sent what the wheel holds and what builds it: no history, environment, data set or test."""
    patterns = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] not in ("", "#")]
    kept = (
        "pyproject.toml",
        "constraints.txt",
        "docker/install.sh",
        "cli.py",
        "scenes/recipes/hardware.yaml",
        "LICENSE",
    )
    dropped = (
        ".git/config", ".env", ".venv/bin/python", "out/demo/dataset.json", "tests/test_docker.py", "datasets/.secret",
        "datasets/gallery/hardware.jpg", "scenes/__pycache__/load.pyc", "pip.conf", "docker/compose.yaml",
    )  # fmt: skip
    assert (
        [path for path in kept if not sent(path, patterns)] == [path for path in dropped if sent(path, patterns)] == []
    )
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = {package.split(".")[1] for package in shipped if "." in package}
    assert all(sent(f"{folder}/x.py", patterns) for folder in folders)


def test_compose_follows_the_published_schema() -> None:
    """compose.yaml is valid by the Compose Specification's own schema."""
    command = [f"{BIN}/check-jsonschema", "--builtin-schema", "vendor.compose-spec", f"{DOCKER}/compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("service", ["cpu", "gpu", "diffusion"])
def test_compose_services_are_hardened(service: str) -> None:
    """Read-only root, no capability, no way to more rights, no port, no network unless asked for, recipes read-only."""
    found = compose()["services"][service]
    assert found["read_only"] and found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["user"] == "${SCENEWRIGHT_USER:-10001:10001}"
    assert found["network_mode"] == "${SCENEWRIGHT_NETWORK:-none}"
    assert not {"ports", "expose", "privileged", "cap_add", "devices", "pid", "ipc"} & found.keys()
    assert found["shm_size"] and found["tmpfs"] and found["profiles"] == [service]
    mounts = {mount.split(":/")[1].split(":")[0]: mount for mount in found["volumes"]}
    assert mounts.keys() == {"cache", "data", "recipes"} and mounts["recipes"].endswith(":ro")
    assert (ROOT / "docker" / found["build"]["context"]).resolve() == ROOT
    assert (ROOT / found["build"]["dockerfile"]).is_file()


def test_compose_gives_devices_to_gpu_services_only() -> None:
    """The profile `cpu` runs on a machine without a GPU."""
    services = compose()["services"]
    assert {name for name, service in services.items() if "deploy" in service} == {"gpu", "diffusion"}


def test_the_page_shows_commands_that_exist() -> None:
    """Every command in the page's code blocks is one that the program takes, and every file that it names is there."""
    page = text("README.md")
    blocks = "\n".join(re.findall(r"```\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    calls = re.findall(r"\b(?:scenewright(?::\w+)?|cpu|gpu)\s+((?:generate|status|doctor|warmup)\b.*)", blocks)
    assert len(calls) >= 7
    for call in calls:
        assert parsed(shlex.split(call, comments=True)) is not None
    named = {*re.findall(r"\]\(([^)#:]+)\)", page), *(f"../{path}" for path in re.findall(r"docker/[\w.-]+\w", blocks))}
    assert [path for path in named if not (DOCKER / path).is_file()] == []
