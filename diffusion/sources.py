"""Where a user's model comes from, and whether it may be loaded at all.

A model is a folder in diffusers' layout, or `owner/name@revision` on the Hugging Face hub, where the revision is a
commit or a tag: a branch moves, and what moved could not be made again. Nothing is downloaded but what the user names.
Weights are safetensors, because the other formats are pickles, and unpickling runs code; code that a model brings is
never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ..assets import files
from ..errors import ModelError, UsageError

__all__ = [
    "INDEX",
    "Source",
    "components",
    "decisive",
    "hashes",
    "locate",
    "read_json",
    "refuse_code",
    "refuse_pickles",
    "safetensors_file",
]

INDEX = "model_index.json"
#: Formats that hold pickles, or code outright.
PICKLES = frozenset({".bin", ".ckpt", ".pkl", ".pickle", ".pt", ".pth"})
#: What may be downloaded beside weights; no code.
PLAIN = ("*.json", "*.txt", "*.model", "*.jinja")

#: Other sets of the same weights that a model on the hub may have. Where one is asked for, parts may lack it.
VARIANTS = ("fp16", "bf16", "fp32", "fp8", "ema", "non_ema")

_HUB = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>\S+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Source:
    """A model's files.

    Attributes:
        id: the folder's name, or `owner/name` on the hub.
        revision: the commit that was loaded, None for a folder.
        folder: where the files lie.
    """

    id: str
    revision: str | None
    folder: Path


def locate(model: str, index: str, variant: str | None = None) -> Source:
    """The files of a model, downloaded first where it lies on the hub.

    Args:
        model: a folder, or `owner/name@revision`.
        index: the file that such a model must have: `INDEX` for a pipeline, "config.json" for a ControlNet.
        variant: which of several sets of weights to download, such as "fp16".

    Raises:
        UsageError: it is neither, or a hub id that is not pinned.
        ModelError: it is not there, moves, or is a file.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / index).is_file():
            raise ModelError(f"{folder} has no {index}: name a folder as `save_pretrained` of diffusers writes it")
        return Source(folder.resolve().name, None, folder.resolve())
    if folder.is_file():
        raise ModelError(
            f"{folder} is one file, and only a folder says what a model is made of: load the file with "
            "`from_single_file` of diffusers, once, and write the folder with `save_pretrained`"
        )
    match = _HUB.fullmatch(model)
    if match is None:
        raise UsageError(f"{model!r} is no folder, and no model on the hub: those are written owner/name@revision")
    if match["revision"] is None:
        raise UsageError(
            f"{model!r} is no folder, and as a model on the hub it is not pinned, so that nobody could make these "
            f"images again: write {model}@ and the 40 digits of a commit, or a tag"
        )
    return _from_hub(match["id"], match["revision"], index, variant)


def _from_hub(name: str, revision: str, index: str, variant: str | None) -> Source:
    """The files of a commit, from the cache if it has them all, which needs no network."""
    from huggingface_hub import hf_hub_download, snapshot_download

    commit = revision if _COMMIT.fullmatch(revision) else _commit_of_tag(name, revision)
    cached = _cached(name, commit, index, variant)
    if cached is not None:
        return Source(name, commit, cached)
    try:
        first = Path(hf_hub_download(name, index, revision=commit))
        patterns = [*PLAIN, *(f"{place}*.safetensors" for place in _places(first))]
        ignored = [f"*.{other}.*" for other in VARIANTS] if variant is None else []
        snapshot_download(name, revision=commit, allow_patterns=patterns, ignore_patterns=ignored)
    except ModelError:
        raise
    except Exception as error:  # what the network raises is of whichever library the hub's client uses
        raise ModelError(f"{name}@{commit} cannot be had from the hub: {_line(error)}") from error
    cached = _cached(name, commit, index, variant)
    if cached is None:
        raise ModelError(
            f"{name}@{commit} cannot be had from the hub: parts of it have no safetensors there, or the hub is out of "
            "reach and the cache has it in part only"
        )
    return Source(name, commit, cached)


def _cached(name: str, commit: str, index: str, variant: str | None) -> Path | None:
    """The folder of a commit in the hub's cache, if no weights are missing in it."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, index, revision=commit)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    whole = all(_whole(folder / place, variant) for place in _places(Path(found)))
    return folder if whole else None


def _whole(part: Path, variant: str | None) -> bool:
    """Whether a part of a model is there with all its weights; one without `config.json` has none."""
    if not part.is_dir() or not any(part.iterdir()):
        return False
    shards = [read_json(path).get("weight_map", {}).values() for path in part.glob("*.safetensors.index.json")]
    present = {path.name for path in part.glob("*.safetensors")}
    if variant and present and not any(f".{variant}" in file for file in present):
        return False
    return {file for files_ in shards for file in files_} <= present and (
        bool(present) or not (part / "config.json").is_file()
    )


def _places(index: Path) -> list[str]:
    """Where weights lie: in the folders of a pipeline's components, or beside the config of a single model."""
    if index.name != INDEX:
        return [""]
    config = read_json(index)
    refuse_code(config, str(index))
    return [f"{name}/" for name in components(config)]


def _commit_of_tag(name: str, revision: str) -> str:
    """The commit that a tag names; ModelError when it is a branch, or unknown."""
    from huggingface_hub import HfApi

    try:
        refs = HfApi().list_repo_refs(name)
    except Exception as error:  # what the network raises is of whichever library the hub's client uses
        raise ModelError(
            f"the tag {revision!r} of {name} cannot be looked up: {_line(error)}. Give the 40 digits of the commit"
        ) from error
    tags = {ref.name: str(ref.target_commit) for ref in refs.tags}
    if revision in tags:
        return tags[revision]
    if any(ref.name == revision for ref in refs.branches):
        raise ModelError(f"{revision!r} of {name} is a branch, and moves: pin a commit, or one of the tags {[*tags]}")
    raise ModelError(f"{name} has no tag {revision!r}: give the 40 digits of a commit, or one of the tags {[*tags]}")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a model's folder."""
    try:
        data = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{path} is no JSON that can be read: {error}") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} holds no JSON object")
    return data


def components(index: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name → (library, class) of the components that a `model_index.json` has, which are its folders as well."""
    found = {k: v for k, v in index.items() if not k.startswith("_") and isinstance(v, list) and len(v) == 2}
    return {k: (v[0], v[1]) for k, v in found.items() if v[0] is not None}


def refuse_code(index: Mapping[str, Any], where: str) -> None:
    """ModelError for a `model_index.json` that wants classes of its own: they would be code of the model's author."""
    from diffusers import pipelines

    if not isinstance(index.get("_class_name"), str):
        raise ModelError(f"{where} brings a pipeline of its own, {index.get('_class_name')}: such code is never run")
    for name, (library, kind) in components(index).items():
        if library not in ("diffusers", "transformers") and not hasattr(pipelines, str(library)):
            raise ModelError(
                f"{where} brings code of its own: {name} is a {kind} of {library!r}, which is never run. "
                "Bring a model whose parts are classes of diffusers and transformers"
            )


def refuse_pickles(folder: Path, parts: Iterable[str] = ("",)) -> None:
    """ModelError when one of the parts of a model, folders below it, has weights but none in safetensors."""
    for part in parts:
        inside = sorted((folder / part).glob("*")) if (folder / part).is_dir() else []
        pickles = [p.name for p in inside if p.suffix in PICKLES]
        if pickles and not any(p.suffix == ".safetensors" for p in inside):
            raise ModelError(
                f"{folder / part} has its weights as {', '.join(pickles)} only: that is a pickle, and loading one can "
                "run any code. Bring safetensors, or convert it where you trust it: `save_pretrained(…)` of diffusers"
            )


def safetensors_file(path: str, what: str) -> Path:
    """The file of a LoRA or an IP-Adapter; ModelError when it is not there or is no safetensors file."""
    file = Path(path).expanduser()
    if file.suffix in PICKLES:
        raise ModelError(f"the {what} {file} is a pickle, and loading one can run any code: bring a .safetensors file")
    if not file.is_file() or file.suffix != ".safetensors":
        raise ModelError(f"the {what} {file} is no file that ends in .safetensors: name the file itself")
    return file.resolve()


def decisive(folder: Path, parts: Iterable[str]) -> list[Path]:
    """The files of a model, and of its parts, that decide what it makes: weights, configurations, vocabularies."""
    places = [folder, *(folder / part for part in parts if part)]
    kinds = ("*.safetensors", *PLAIN)
    return sorted({path for place in places for kind in kinds for path in place.glob(kind) if path.is_file()})


def hashes(folder: Path, paths: Iterable[Path] | None = None) -> dict[str, str]:
    """Path below the folder → sha256 of every weight file in it, or of those named."""
    chosen = sorted(folder.rglob("*.safetensors") if paths is None else paths)
    return {path.relative_to(folder).as_posix(): files.remember(path).sha256 for path in chosen}


def _line(error: Exception) -> str:
    """The first line of somebody else's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
