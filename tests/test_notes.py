"""Notes on mesh files: what is allowed but odd is said once."""

from __future__ import annotations

from pathlib import Path

import trimesh

from scenewright.scenes.load import load
from scenewright.scenes.notes import mesh_notes

RECIPE = """
name: parts
objects:
  count: 1
  assets:
    - {category: a, path: open.ply}
    - {category: b, path: sound.ply}
    - {category: c, path: open.ply, scale: 2}
"""


def test_odd_meshes_are_named_once(tmp_path: Path) -> None:
    """An open mesh is named once with what is odd about it, a closed one is not, nor is a procedural shape."""
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.export(tmp_path / "sound.ply")
    trimesh.Trimesh(box.vertices, [*box.faces[1:], [0, 1, 1]], process=False).export(tmp_path / "open.ply")
    (tmp_path / "r.yaml").write_text(RECIPE)
    assert mesh_notes(load(tmp_path / "r.yaml")) == ["open.ply: open; 1 triangles without area left out"]
    assert mesh_notes(load("hardware")) == []
