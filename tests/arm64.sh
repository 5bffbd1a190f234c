#!/usr/bin/env bash
# The exact language model on ARM64, emulated: its compiled kernel (NEON), NumPy, and golden files. `make test-arm`.
#
# It needs Debian's packages qemu-user and gcc-aarch64-linux-gnu, and its packages for ARM64:
#     dpkg --add-architecture arm64 && apt-get update && apt-get install qemu-user gcc-aarch64-linux-gnu
# A Python for ARM64 and wheels are fetched into build/arm64 once.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD/build/arm64
python=${PYTHON:-python}
debs=(python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libexpat1 zlib1g libssl3 libffi8 libbz2-1.0
      liblzma5 libstdc++6 libgcc-s1 libuuid1 libcrypt1)

if [ ! -e "$here/ready" ]; then
  rm -rf "$here"
  mkdir -p "$here/debs" "$here/root" "$here/site"
  (cd "$here/debs" && apt-get download -q "${debs[@]/%/:arm64}")
  for deb in "$here"/debs/*.deb; do dpkg -x "$deb" "$here/root"; done
  "$python" -m pip install -q --target "$here/site" --only-binary=:all: --python-version 3.11 --implementation cp \
    --platform manylinux_2_28_aarch64 --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 \
    click huggingface_hub numpy onnxruntime safetensors soundfile soxr tqdm pytest hypothesis
  touch "$here/ready"
fi

# The kernel lies in a copy of the package, beside which this machine's own does not count.
rm -rf "$here/src"
cp -r src "$here/src"
rm -f "$here"/src/recodec/lm/native/kernel.{so,dylib,dll}
CC=aarch64-linux-gnu-gcc "$python" - "$here/src/recodec/lm/native" <<'PYTHON'
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import build

build.machine = lambda: "arm64"
print(build.build(Path(sys.argv[1])))
PYTHON

export PYTHONPATH="$here/src:$here/site" OMP_NUM_THREADS=1 RECODEC_NATIVE=neon
exec qemu-aarch64 -L "$here/root" "$here/root/usr/bin/python3.11" -m pytest -q --noconftest -p no:cacheprovider \
  -W ignore::pytest.PytestConfigWarning tests/lm/test_native.py tests/wire/test_golden.py "$@"
