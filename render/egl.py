"""Whether OpenGL can be had without a screen, which EEVEE needs, and from whom. No bpy.

Without it Blender aborts the whole process, so this is asked first, in a process of its own: a broken driver may end
that one too. It asks for what Blender asks for: EGL's default display, or else one without any surface, and a core
profile of OpenGL.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from ..errors import RenderError

__all__ = ["SOFTWARE", "Gl", "ask", "main"]

TIMEOUT_S = 120  # a driver that starts a sleeping GPU takes some seconds
ANSWER = "scenewright-egl:"  # marks our line among what drivers print

#: How renderers that compute on the CPU call themselves: Mesa's three, and Google's.
SOFTWARE = ("llvmpipe", "softpipe", "Software Rasterizer", "SwiftShader")

#: Blender 4.5 renders with this version of OpenGL or a later one.
NEEDED = (4, 3)

_PACKAGES = {"apt-get": "apt-get install -y libegl1 libgl1", "dnf": "dnf install -y libglvnd-egl libglvnd-glx"}
_SOFTWARE_PACKAGES = {"apt-get": "apt-get install -y libegl1 libgl1-mesa-dri", "dnf": "dnf install -y mesa-dri-drivers"}
_DRIVER = (
    "for an NVIDIA GPU install the driver's OpenGL libraries (libEGL_nvidia; in a container, "
    "NVIDIA_DRIVER_CAPABILITIES=all, or graphics,compute,utility); for OpenGL on the CPU, which is slow: "
)

_Pointer = ctypes.c_void_p
_EGL_OPENGL_API, _EGL_PLATFORM_SURFACELESS_MESA = 0x30A2, 0x31DD
_GL_VENDOR, _GL_RENDERER, _GL_VERSION = 0x1F00, 0x1F01, 0x1F02
#: Surface type: pbuffer; renderable type: OpenGL.
_CONFIG = (0x3033, 0x0001, 0x3040, 0x0008, 0x3038)
_PBUFFER = (0x3057, 1, 0x3056, 1, 0x3038)  # 1 × 1 pixel
#: Major and minor version; profile: core.
_CONTEXT = (0x3098, NEEDED[0], 0x30FB, NEEDED[1], 0x30FD, 0x0001, 0x3038)


@dataclass(frozen=True)
class Gl:
    """Who renders OpenGL here, in the driver's own words."""

    renderer: str
    vendor: str
    version: str

    @property
    def software(self) -> bool:
        """Whether it computes on the CPU."""
        return any(name in self.renderer for name in SOFTWARE)


def ask() -> Gl:
    """Who will render for EEVEE on this machine.

    Raises:
        RenderError: nobody, with what to install.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "scenewright.render.egl"],
            capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise RenderError(f"EEVEE needs OpenGL through EGL, which did not start in {TIMEOUT_S} s") from None
    for line in child.stdout.splitlines():
        if line.startswith(ANSWER):
            answer = json.loads(line.removeprefix(ANSWER))
            if "problem" in answer:
                raise _error(answer["problem"], answer["remedy"])
            return Gl(**answer)
    said = (child.stderr.strip().splitlines() or ["nothing"])[-1]
    raise _error(
        f"the driver ended the process ({child.returncode}) and said: {said}", _DRIVER + _command(_SOFTWARE_PACKAGES)
    )


def _error(problem: str, remedy: str) -> RenderError:
    return RenderError(
        f"EEVEE needs OpenGL {NEEDED[0]}.{NEEDED[1]} through EGL: {problem}: {remedy}. Or use render.engine: cycles"
    )


def _command(packages: dict[str, str]) -> str:
    found = next((command for tool, command in packages.items() if shutil.which(tool)), packages["apt-get"])
    return found if os.geteuid() == 0 else f"sudo {found}"


class _Missing(Exception):
    """What EGL lacks, and what to do about it."""


def _made() -> Gl:
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError as e:
        raise _Missing(f"libEGL.so.1 cannot be loaded ({e})", _command(_PACKAGES)) from None
    integers, remedy = ctypes.POINTER(ctypes.c_int), _DRIVER + _command(_SOFTWARE_PACKAGES)
    for name in ("eglCreatePbufferSurface", "eglCreateContext", "eglGetProcAddress"):
        getattr(egl, name).restype = _Pointer
    display = _display(egl)
    if display is None:
        raise _Missing("it gives no display, since no driver has registered with it", remedy)
    egl.eglBindAPI(_EGL_OPENGL_API)
    config, count = _Pointer(), ctypes.c_int()
    choice, pbuffer, core = (ctypes.cast((ctypes.c_int * len(a))(*a), integers) for a in (_CONFIG, _PBUFFER, _CONTEXT))
    if not egl.eglChooseConfig(display, choice, ctypes.byref(config), 1, ctypes.byref(count)) or not count.value:
        raise _Missing("the driver has no OpenGL for pictures without a screen", remedy)
    surface = _Pointer(egl.eglCreatePbufferSurface(display, config, pbuffer))
    context = _Pointer(egl.eglCreateContext(display, config, _Pointer(), core))
    if not context or not egl.eglMakeCurrent(display, surface, surface, context):
        raise _Missing("the driver's OpenGL is older", "install a newer driver")
    return Gl(*(_string(egl, which) for which in (_GL_RENDERER, _GL_VENDOR, _GL_VERSION)))


def _display(egl: ctypes.CDLL) -> ctypes.c_void_p | None:
    """The default display, else the one of Mesa that has no surfaces; None where neither starts."""
    egl.eglGetDisplay.restype = egl.eglGetPlatformDisplay.restype = _Pointer
    display = _Pointer(egl.eglGetDisplay(_Pointer()))
    if display and egl.eglInitialize(display, None, None):
        return display
    display = _Pointer(egl.eglGetPlatformDisplay(_EGL_PLATFORM_SURFACELESS_MESA, _Pointer(), None))
    return display if display and egl.eglInitialize(display, None, None) else None


def _string(egl: ctypes.CDLL, which: int) -> str:
    get = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_uint)(egl.eglGetProcAddress(b"glGetString"))
    return (get(which) or b"").decode(errors="replace")


def main() -> None:
    """Print one line of JSON: a `Gl`, or the problem and its remedy."""
    try:
        answer = vars(_made())
    except _Missing as e:
        answer = dict(zip(("problem", "remedy"), e.args, strict=True))
    print("\n" + ANSWER + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
