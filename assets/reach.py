"""Which files a recipe may name: those in its own folder, and in folders that whoever runs it allows besides.

A recipe may come from a stranger, together with the folder in which it lies. So what it names is looked up here before
anything is opened or listed, and links count by where they lead.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from .regular import check_regular

__all__ = ["MAX_STEPS", "Reach", "is_below", "real"]

#: Names between slashes in one pattern: more than any library is deep, and an end for a pattern that is made to last.
MAX_STEPS = 32
WILD = frozenset("*?[")


@dataclass(frozen=True)
class Reach:
    """What a recipe may read.

    Attributes:
        base: the recipe's folder, from which its paths start.
        allowed: further folders.
    """

    base: Path
    allowed: tuple[Path, ...] = ()

    def check(self, path: Path, name: str = "") -> None:
        """Refuse a path that leads out, whether anything is there or not; `name` is what the recipe calls it.

        Raises:
            ValueError: with the path, the folders, and what to try; callers say the place in the recipe.
        """
        target, folders = real(path), [real(folder) for folder in (self.base, *self.allowed)]
        if not any(target.is_relative_to(folder) for folder in folders):
            own, *others = map(str, folders)
            besides = f" and of what is allowed ({', '.join(others)})" if others else ""
            raise ValueError(
                f'"{name or path}" leads to {target}, out of the recipe\'s folder {own}{besides}: put it there, or '
                "allow the folder that holds it with --allow FOLDER (in Python allow=[…])"
            )

    def place(self, name: str) -> Path:
        """Where a name leads; ValueError where that is out of reach. Nothing need be there."""
        if "\0" in name:
            raise ValueError(f"{name!r} cannot name a file: take the NUL out of it")
        path = self.base / name
        self.check(path, name)
        return path

    def listed(self, folder: Path, suffixes: Collection[str]) -> list[Path]:
        """The files in a folder with one of these suffixes, in small letters, by name; ValueError as in `check`."""
        self.check(folder)
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.is_file())
        for path in found:
            self.check(path)
        return found

    def files(self, pattern: str) -> list[Path]:
        """The file of that name, else all that match the pattern (`*`, `?`, `[…]`, `**` for any folders), by path.

        Each folder is looked into once, by whichever links a pattern comes to it, and `**` follows none.

        Raises:
            ValueError: there are none, something is out of reach, is no regular file, or is no pattern.
        """
        exact = self.place(pattern)
        if exact.is_dir():
            raise ValueError(
                f"{exact} is a folder: name the files in it, for example {pattern.rstrip('/') or '.'}/*.stl"
            )
        if exact.exists():
            check_regular(exact)
            return [exact]
        found = self._matches(pattern)
        if not found:
            raise ValueError(f"no file matches {pattern!r} in {self.base}")
        return found

    def _matches(self, pattern: str) -> list[Path]:
        steps = PurePath(pattern).parts
        if len(steps) > MAX_STEPS:
            raise ValueError(f"a pattern may go through {MAX_STEPS} folders, this one has {len(steps)}: shorten it")
        if any("**" in step and step != "**" for step in steps):
            raise ValueError(
                f"in {pattern!r} ** stands beside other letters: it can only be the whole name of a folder"
            )
        places = [self.base]
        for step in steps:
            places = self._step(places, step)
        for path in places:
            self.check(path)
        return sorted(path for path in places if path.is_file())

    def _step(self, places: Iterable[Path], step: str) -> list[Path]:
        """Where one name of a pattern leads from these places, by path, so that the same one stands for a folder."""
        once: dict[Path, Path] = {}
        for place in places:
            once.setdefault(real(place), place)
        if not WILD & {*step}:
            return [place / step for place in once.values()]
        for place in once.values():
            self.check(place)
        folders = [place for place in once.values() if place.is_dir()]
        if step == "**":
            return sorted({Path(top) for place in folders for top, _, _ in os.walk(place)})
        return sorted(path for place in folders for path in place.iterdir() if fnmatchcase(path.name, step))


def is_below(path: Path, folder: Path) -> bool:
    """Whether a path leads into a folder or to it, after all links."""
    return real(path).is_relative_to(real(folder))


def real(path: Path) -> Path:
    """The path without links; unlike `Path.resolve` it takes one that leads in a circle for a plain name."""
    return Path(os.path.realpath(path))
