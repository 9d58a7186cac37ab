"""Build and run an image of `docker/` without a container engine: its steps in chroots on Debian 12.

    debootstrap --variant=minbase bookworm /tmp/base
    python tests/benchmarks/try_image.py build docker/Dockerfile /tmp/image --base /tmp/base
    python tests/benchmarks/try_image.py run /tmp/image -- doctor
    umount /tmp/image/*/root && rm -r /tmp/image

Needs root and Linux with overlayfs. `build` carries out the lines of each stage in an overlay over the base and prints
how large it is after each. `run` starts the entry point as the image's user with a read-only root, no capability, no
network, a /tmp and a /dev/shm in memory, and folders of its own for the volumes. What a site needs to reach its package
index goes in with `--bind HOST:GUEST` and `--env NAME`, and stays out of the result.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Stage:
    """One FROM: where its overlay is mounted, and what its lines have set so far."""

    name: str
    folder: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    args: dict[str, str] = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=lambda: {"USER": "0:0", "WORKDIR": "/"})

    @property
    def root(self) -> Path:
        return self.folder / "root"


def lines(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, rest), continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text("utf-8"), flags=re.MULTILINE)
    joined = re.sub(r"\\\n\s*", "", text)
    return [(word.upper(), rest) for line in joined.splitlines() if line for word, rest in [line.split(maxsplit=1)]]


def sent(path: str, patterns: list[str]) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits it or a folder above it decides."""
    parts = path.split("/")
    above = ["/".join(parts[: k + 1]) for k in range(len(parts))]
    verdict = True
    for pattern in patterns:
        bare = pattern.lstrip("!")
        tail = bare.removeprefix("**/")
        names = parts if tail != bare else above if "/" in bare or "*" not in bare else above[:1]
        if any(fnmatch.fnmatchcase(name, tail) for name in names):
            verdict = pattern.startswith("!")
    return verdict


def context(folder: Path) -> None:
    """Copy what a builder would be sent of the repository into `folder`."""
    patterns = [
        line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and not line.startswith("#")
    ]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    for path in filter(lambda p: sent(p, patterns) and (ROOT / p).is_file(), listed.stdout.splitlines()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)


class Builder:
    """Carries out the lines of a Dockerfile, stage by stage."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.base, self.image = Path(args.base).resolve(), Path(args.image).resolve()
        self.given = dict(item.split("=", 1) for item in args.build_arg)
        self.binds = [tuple(item.split(":", 1)) for item in args.bind]
        self.passed = {name: os.environ[name] for name in args.env}
        self.context = self.image / "context"
        self.stages: list[Stage] = []
        self.globals: dict[str, str] = {}

    def build(self, dockerfile: Path) -> None:
        """Every line in turn; the last stage is the image."""
        context(self.context)
        for word, rest in lines(dockerfile):
            started = time.monotonic()
            getattr(self, f"do_{word.lower()}", self._keep)(word, rest)
            if word in ("RUN", "COPY"):
                used = subprocess.run(["du", "-sm", self.stages[-1].folder / "upper"], text=True, capture_output=True)
                size = used.stdout.split()[0]
                print(
                    f"{self.stages[-1].name}: {size} MB after {time.monotonic() - started:.0f} s of {word} {rest[-60:]}"
                )
        last = self.stages[-1]
        told = {"root": str(last.root), "env": last.env, **last.config}
        (self.image / "image.json").write_text(json.dumps(told, indent=1))

    def do_from(self, _: str, rest: str) -> None:
        """Mount a new overlay over the base, whatever image the line names."""
        name = rest.split(" AS ")[1] if " AS " in rest else "final"
        stage = Stage(name, self.image / name, args=dict(self.globals))
        for part in ("upper", "work", "root"):
            (stage.folder / part).mkdir(parents=True)
        layers = f"lowerdir={self.base},upperdir={stage.folder}/upper,workdir={stage.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, stage.root], check=True)
        self.stages.append(stage)

    def do_arg(self, _: str, rest: str) -> None:
        """A default that --build-arg replaces."""
        name, _, value = rest.partition("=")
        (self.stages[-1].args if self.stages else self.globals)[name] = self.given.get(name, value)

    def do_env(self, _: str, rest: str) -> None:
        """Variables for the following lines and for the image."""
        self.stages[-1].env |= dict(item.split("=", 1) for item in shlex.split(rest))

    def do_copy(self, _: str, rest: str) -> None:
        """From the context, or with --from of another stage; like Docker, the contents of a folder."""
        *sources, target = rest.split()
        origin = self.context
        if sources[0].startswith("--from="):
            origin = self._stage(sources.pop(0)[7:])
        place = self.stages[-1].root / target.lstrip("/")
        (place if target.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
        for source in sources:
            start = origin / source.lstrip("/")
            if start.is_dir():
                place.mkdir(exist_ok=True)
                subprocess.run(["cp", "-a", f"{start}/.", place], check=True)
            else:
                shutil.copy2(start, place)

    def do_run(self, _: str, rest: str) -> None:
        """A shell command in the stage, with its mounts and the site's; their mount points are removed again."""
        stage = self.stages[-1]
        mounts = [("/proc", "/proc"), ("/dev", "/dev"), ("/etc/resolv.conf", "/etc/resolv.conf"), *self.binds]
        while match := re.match(r"--mount=(\S+)\s+", rest):
            options = dict(item.split("=", 1) for item in match[1].split(","))
            rest = rest[match.end() :]
            if options["type"] == "bind":
                origin = self._stage(options["from"]) if "from" in options else self.context
                mounts.append((f"{origin}/{options['source'].lstrip('/')}", options["target"]))
        points = [point for host, guest in mounts for point in _mount_point(Path(host), stage.root, guest)]
        script = [f"mount --bind {shlex.quote(h)} {shlex.quote(f'{stage.root}{g}')}" for h, g in mounts]
        script.append(f"exec chroot {shlex.quote(str(stage.root))} /bin/sh -c {shlex.quote(rest)}")
        env = {**stage.env, **stage.args, **self.passed}
        subprocess.run(["unshare", "--mount", "sh", "-ec", "\n".join(script)], env=env, check=True, stdout=sys.stderr)
        for point in reversed(points):
            point.rmdir() if point.is_dir() else point.unlink()

    def _keep(self, word: str, rest: str) -> None:
        self.stages[-1].config[word] = rest

    def _stage(self, name: str) -> Path:
        return next(stage.root for stage in self.stages if stage.name == name)


def _mount_point(host: Path, root: Path, guest: str) -> list[Path]:
    """Make what a bind mount needs in the root; gives what was not there."""
    target = root / guest.lstrip("/")
    made = [path for path in (*reversed(target.parents), target) if not path.exists()]
    for path in made:
        path.mkdir() if path != target or host.is_dir() else path.touch()
    return made


def run(args: argparse.Namespace) -> int:
    """Start the entry point as a hardened container would; gives its exit code."""
    image = json.loads((Path(args.image) / "image.json").read_text())
    root = image["root"]
    uid, gid = (args.user or image["USER"]).split(":")
    script = [f"mount --bind {root} {root}"]
    for volume in json.loads(image["VOLUME"]):
        folder = Path(args.image).resolve() / "volumes" / volume.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, int(uid), int(gid))
        script.append(f"mount --bind {folder} {root}{volume}")
    (Path(root) / "dev" / "shm").mkdir(exist_ok=True)
    script += [
        f"mount -o remount,bind,ro {root}",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
        f"mount -t tmpfs -o size={args.shm} tmpfs {root}/dev/shm",
        f"mount -t tmpfs -o size=4g tmpfs {root}/tmp",
        "ip link set lo up 2>/dev/null || true",
    ]
    rights = "--no-new-privs --bounding-set=-all --inh-caps=-all --clear-groups"
    given = args.command[1:] if args.command[:1] == ["--"] else args.command
    command = given if args.shell else [*json.loads(image["ENTRYPOINT"]), *given]
    inside = f"cd {image['WORKDIR']} && exec setpriv --reuid={uid} --regid={gid} {rights} {shlex.join(command)}"
    script.append(f"exec chroot {root} /bin/sh -c {shlex.quote(inside)}")
    walls = ["unshare", "--mount", "--pid", "--fork", *([] if args.network else ["--net"])]
    return subprocess.run([*walls, "sh", "-ec", "\n".join(script)], env=image["env"], check=False).returncode


def main() -> int:
    """Parse, then build or run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="what")
    build = commands.add_parser("build", help="carry out a Dockerfile")
    build.add_argument("dockerfile", type=Path)
    build.add_argument("image", help="folder for the result; must not exist")
    build.add_argument("--base", required=True, help="a root that debootstrap made")
    build.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    build.add_argument("--bind", action="append", default=[], metavar="HOST:GUEST", help="seen by RUN lines only")
    build.add_argument("--env", action="append", default=[], metavar="NAME", help="handed on to RUN lines only")
    start = commands.add_parser("run", help="start what was built")
    start.add_argument("image")
    start.add_argument("command", nargs=argparse.REMAINDER, help="after --")
    start.add_argument("--user", metavar="UID:GID", help="instead of the image's")
    start.add_argument("--shm", default="1g", help="size of /dev/shm")
    start.add_argument("--network", action="store_true", help="let it see the host's network")
    start.add_argument("--shell", action="store_true", help="the command as it is, without the entry point")
    args = parser.parse_args()
    if args.what == "run":
        return run(args)
    Builder(args).build(args.dockerfile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
