"""The templates for Slurm and Open Job Description: run by false Slurm commands and by the reference implementation."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import RECIPE, child, content, parsed

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
BIN = Path(sys.executable).parent
PROGRAM = f"{sys.executable} -m scenewright"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that needs no Blender."""
    file = tmp_path_factory.mktemp("recipe") / "small.yaml"
    file.write_text(RECIPE)
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small: Path) -> dict[str, str]:
    """The files of its five images, made by one process."""
    folder = tmp_path_factory.mktemp("whole") / "dataset"
    ended = child("generate", small, "--count", 5, "--out", folder, "--seed", 3)
    assert ended.code == 0, ended.err
    return content(folder)


def openjd(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [f"{BIN}/openjd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_the_openjd_template_is_valid() -> None:
    """The reference implementation of Open Job Description accepts it."""
    done = openjd("check", DOCKER / "openjd.yaml")
    assert done.returncode == 0, done.stdout


def test_openjd_runs_every_shard(tmp_path: Path, small: Path, whole: dict[str, str]) -> None:
    """Run by the reference implementation, the template makes the dataset that one process makes."""
    options = {"Recipe": small, "Count": 5, "Out": tmp_path / "shards", "Shards": 2, "Seed": 3, "Program": PROGRAM}
    given = [part for name, value in options.items() for part in ("-p", f"{name}={value}")]
    done = openjd("run", DOCKER / "openjd.yaml", "--step", "Status", "--run-dependencies", *given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert content(tmp_path / "shards") == whole


def test_openjd_keeps_parameters_out_of_scripts(tmp_path: Path) -> None:
    """A recipe's name that looks like shell code is a file that is not there, and runs nothing."""
    trap = f"$(touch {tmp_path}/ran).yaml"
    given = ["-p", f"Recipe={trap}", "-p", f"Out={tmp_path}/out", "-p", "Shards=1", "-p", f"Program={PROGRAM}"]
    done = openjd("run", DOCKER / "openjd.yaml", "--step", "Render", *given)
    assert done.returncode != 0 and "touch" in done.stdout
    assert not list(tmp_path.iterdir())


#: Slurm's commands as far as the script needs them. Like the real one, this srun answers SIGTERM by killing its task,
#: and gives it one core unless it is told how many.
SRUN = """#!/bin/bash
cores=1
case $1 in --cpus-per-task=*) cores=${1#*=}; shift ;; esac
echo $cores > "$FAKE/cores"
trap 'kill -KILL $task' TERM
"$@" & task=$!
echo $task > "$FAKE/task"
while kill -0 $task 2> /dev/null; do wait $task; code=$?; done
exit $code
"""
SCANCEL = '#!/bin/bash\necho "scancel $*" >> "$FAKE/log"\nkill -TERM "$(cat "$FAKE/task")"\n'
SCONTROL = '#!/bin/bash\necho "scontrol $*" >> "$FAKE/log"\n'
#: A program that begins, waits for SIGTERM, and has then an exit code of its own.
PATIENT = """#!/bin/bash
trap 'exit {code}' TERM
echo "$@" > "$FAKE/arguments"
for _ in $(seq 200); do sleep 0.05; done
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of one task of a job array on a node with false Slurm commands."""
    fake = tmp_path / "fake"
    fake.mkdir()
    for name, script in {"srun": SRUN, "scancel": SCANCEL, "scontrol": SCONTROL}.items():
        (fake / name).write_text(script)
        (fake / name).chmod(0o755)
    yield {
        **os.environ, "PATH": f"{fake}:{os.environ['PATH']}", "FAKE": str(fake), "SCENEWRIGHT": PROGRAM,
        "SCENEWRIGHT_CACHE": str(tmp_path / "cache"), "SLURM_ARRAY_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1",
        "SLURM_MEM_PER_NODE": "8192",
    }  # fmt: skip


def run_task(environment: dict[str, str], number: int, *arguments: object) -> subprocess.Popen[str]:
    command = ["bash", f"{DOCKER}/slurm.sh", *map(str, arguments)]
    return subprocess.Popen(command, env={**environment, "SLURM_ARRAY_TASK_ID": str(number)}, text=True)


def patient(environment: dict[str, str], code: int) -> dict[str, str]:
    """The same environment with a program that ends with `code` when SIGTERM comes."""
    program = Path(environment["FAKE"]) / "patient"
    program.write_text(PATIENT.format(code=code))
    program.chmod(0o755)
    return {**environment, "SCENEWRIGHT": str(program)}


def wait_for(file: Path) -> str:
    for _ in range(200):
        if file.exists() and (said := file.read_text()):
            return said
        time.sleep(0.05)
    raise AssertionError(f"{file} did not appear")


def test_slurm_tasks_make_the_dataset_of_one_process(
    tmp_path: Path, small: Path, whole: dict[str, str], slurm: dict[str, str]
) -> None:
    """The tasks of an array, each on its own shard, make together what one process makes, in a private cache folder."""
    tasks = [run_task(slurm, k, small, 5, tmp_path / "shards", 2, "--seed", 3) for k in (1, 0)]
    assert [task.wait(120) for task in tasks] == [0, 0]
    assert content(tmp_path / "shards") == whole
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_slurm_tasks_call_the_command_line_as_it_is(slurm: dict[str, str]) -> None:
    """The array's number is the shard, the count of shards is told, options are handed on; srun gives it its cores."""
    task = run_task(
        {**patient(slurm, 0), "SLURM_CPUS_PER_TASK": "6"}, 3, "hardware", 1000, "/data/x", 100, "--preset", "draft"
    )
    found = parsed(wait_for(Path(slurm["FAKE"]) / "arguments").split())
    task.send_signal(signal.SIGUSR1)
    assert task.wait(30) == 0
    told = [found[name] for name in ("recipe", "count", "executor", "shard", "shards", "threads", "memory", "preset")]
    assert told == ["hardware", 1000, "index", 3, 100, 6, 6.0, "draft"]
    assert (Path(slurm["FAKE"]) / "cores").read_text() == "6\n"


@pytest.mark.parametrize(("code", "requeued"), [(130, True), (3, False), (0, False)])
def test_slurm_requeues_what_the_time_limit_ended(slurm: dict[str, str], code: int, requeued: bool) -> None:
    """Before the time limit the program gets SIGTERM; only if it left images to make, the same task is queued again."""
    task = run_task(patient(slurm, code), 3, "hardware", 10, "/data/x", 5)
    wait_for(Path(slurm["FAKE"]) / "arguments")
    task.send_signal(signal.SIGUSR1)
    assert task.wait(30) == code
    log = (Path(slurm["FAKE"]) / "log").read_text().splitlines()
    assert log == ["scancel --signal=TERM 7_3", *(["scontrol requeue 7_3"] if requeued else [])]


def test_slurm_does_not_requeue_what_was_cancelled(slurm: dict[str, str]) -> None:
    """A program that scancel ended, without the signal of the time limit, stays ended."""
    task = run_task(patient(slurm, 130), 3, "hardware", 10, "/data/x", 5)
    wait_for(Path(slurm["FAKE"]) / "arguments")
    os.kill(int(wait_for(Path(slurm["FAKE"]) / "task")), signal.SIGTERM)
    assert task.wait(30) == 130 and not (Path(slurm["FAKE"]) / "log").exists()


def test_slurm_signals_before_the_limit_with_time_for_the_grace() -> None:
    """The script asks for its signal 30 s before the end, more than the 20 s that images in the making may take."""
    script = (DOCKER / "slurm.sh").read_text("utf-8")
    assert re.findall(r"^#SBATCH --signal=(.*)$", script, re.MULTILINE) == ["B:USR1@30"]
    assert "#SBATCH --requeue\n" in script and parsed(["generate", "hardware", "--out", "x"])["grace"] < 30
