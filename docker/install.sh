#!/bin/sh
# The steps that the three images share. Each Dockerfile says which of them make a layer.
#
#   build_tools     first stage: what installs from PyPI
#   dependencies    first stage: what the package and its $EXTRAS need, as constraints.txt has it, and torch $TORCH
#   wheel           first stage: the package as a wheel
#   system          what the finished image needs of Debian
#   nvidia          where EGL finds the driver that the container toolkit brings in
#   finish          the user, its folder of caches, its folder of datasets, the commands
#   application     the wheel
set -eu

SOURCE=/src
PREFIX=/opt/scenewright
ID=10001
# What `import bpy` links to (render/doctor.py has the same list), and libegl1 for EEVEE.
LIBRARIES="libx11-6 libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libgl1 libegl1"

# Debian's releases are frozen but for security fixes; a version that is pinned here would be gone with the next fix.
from_debian() {
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
    apt-get clean
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
}

build_tools() {
    from_debian ca-certificates python3.11 python3.11-venv
    python3.11 -m venv /opt/pip
}

# Apart from the environment that is shipped, which thus holds no pip.
from_pypi() {
    /opt/pip/bin/pip --python "$PREFIX/bin/python" install --no-cache-dir --disable-pip-version-check "$@"
}

# Wheels only: nothing is compiled, so there is no compiler to remove.
dependencies() {
    python3.11 - "${EXTRAS:-}" > /tmp/requirements.txt <<'PYTHON'
import sys, tomllib
project = tomllib.load(open("/src/pyproject.toml", "rb"))["project"]
extras = [project["optional-dependencies"][name] for name in sys.argv[1].split(",") if name]
print(*project["dependencies"], *sum(extras, []), sep="\n")
PYTHON
    python3.11 -m venv --without-pip "$PREFIX"
    from_pypi --only-binary :all: --constraint "$SOURCE/constraints.txt" ${TORCH:+"torch==$TORCH"} \
        --requirement /tmp/requirements.txt
}

wheel() {
    /opt/pip/bin/pip wheel --disable-pip-version-check --no-deps --wheel-dir /wheel "$SOURCE"
}

system() {
    # shellcheck disable=SC2086  # a list of words
    from_debian ca-certificates python3.11 tini $LIBRARIES
}

# Where the toolkit brings libEGL_nvidia without the note by which the loader knows of it.
nvidia() {
    install -d /usr/share/glvnd/egl_vendor.d
    echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}' \
        > /usr/share/glvnd/egl_vendor.d/10_nvidia.json
}

finish() {
    groupadd --gid "$ID" scenewright
    useradd --uid "$ID" --gid "$ID" --home-dir /cache --no-create-home --shell /usr/sbin/nologin scenewright
    install -d -o "$ID" -g "$ID" -m 0755 /cache /data
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +
    # A login shell, as some versions of KubeRay start Ray in, forgets the image's PATH.
    for command in scenewright python ray; do
        ln -s "$PREFIX/bin/$command" "/usr/local/bin/$command"
    done
}

application() {
    from_pypi --no-index --no-deps /wheel/*.whl
}

for step in "$@"; do
    case "$step" in
        build_tools | dependencies | wheel | system | nvidia | finish | application) "$step" ;;
        *) echo "install.sh: no step $step" >&2; exit 2 ;;
    esac
done
