"""The page with the live player: `.ecdc` files of the example clips, decoded in the reader's browser.

Made when the site is built (`site.py`), of the npm package in `js/`, if that was built before; what it loads lies on
the site, and not in the repository. By hand, into a folder: python docs/make/live.py FOLDER
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from recodec import Codec
from recodec.cli.export import write_web

ROOT = Path(__file__).parents[2]
CLIPS = {"Speech": "speech.wav", "Music": "music.wav"}
BANDWIDTHS_KBPS = (1.5, 3.0, 6.0, 12.0)
PACKAGE = (
    ROOT / "js/dist/player.js",
    ROOT / "js/dist/worker.js",
    ROOT / "js/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
)

_HEAD = """# Live player

The files below are `.ecdc`, some kilobytes each. Your browser decodes them as it plays them, by the npm package
[recodec](../js/README.md): no server takes part, and no plugin. The line below the waveform is the bitrate of each
packet, with the language model.
"""
_ABSENT = """
!!! note
    This copy of the site was built without Node, so that the players are missing. To have them, run
    `cd js && npm ci && npm run build`, and build the site again.
"""
_OWN_FILE = """## A file of yours

Choose an `.ecdc` file that `recodec compress` made with the default model. It stays on your machine.

<input type="file" id="own" accept=".ecdc" aria-label="An .ecdc file of yours">
<recodec-player id="own-player" hidden></recodec-player>
<script type="module">
let address;
document.getElementById("own").onchange = (event) => {
  const [file] = event.target.files;
  if (!file) return;
  const player = document.getElementById("own-player");
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(file);
  player.hidden = false;
  player.setAttribute("src", address);
};
</script>
"""
_FACTS = """## What a browser loads

| for | files | MB |
| --- | --- | ---: |
{rows}

The first play fetches what decoding needs, and the browser keeps it: the model in the Cache API, checked by SHA-256,
the runtime in its own cache.

## Browsers

It needs WebAssembly with SIMD, AudioWorklet, and modules in workers: Chromium and Chrome 97, Firefox 114 and
Safari 16.4, or newer ones, by their makers' documentation. It runs on one thread, and needs no special headers. The
tests drive Chromium and Firefox; Safari was never tried.

## How fast it is

[Speeds](../js/README.md#speed) and the time to the first sound: on what they were measured, and how to measure them
again.

## On a page of yours

One folder and one script tag: [how](../js/README.md#a-player-in-one-script-tag).
"""


def _player(kbps: float, name: str, size: int, seconds: float) -> str:
    title = f"**{kbps:g} kbps.** {size:,} bytes, {8 * size / seconds / 1000:.1f} kbps with its header and index.\n"
    return f'{title}\n<recodec-player src="{name}"></recodec-player>\n'


def _clips(files: dict[str, bytes]) -> Iterator[str]:
    """The lines of the examples; puts their files into `files`."""
    codec = Codec.from_pretrained()
    with tempfile.TemporaryDirectory() as folder:
        for kind, clip in CLIPS.items():
            yield f"## {kind}\n"
            for kbps in BANDWIDTHS_KBPS:
                name = f"{Path(clip).stem}-{kbps:g}.ecdc"
                coded = Path(folder, name)
                made = codec.compress_file(ROOT / "examples" / clip, coded, bandwidth=kbps)
                files[name] = coded.read_bytes()
                yield _player(kbps, name, len(files[name]), made.duration_s)


def _sizes(files: Mapping[str, bytes]) -> str:
    """Rows of a table: what a browser loads, and for what."""
    weights = {name: sum(len(b) for n, b in files.items() if n.startswith(f"model/{name}")) for name in _PARTS}
    runtime = sum(len(content) for name, content in files.items() if "/" not in name and not name.endswith(".ecdc"))
    rows = [("all", "player, worker and runtime", runtime)]
    rows += [(purpose, part, weights[part]) for part, purpose in _PARTS.items()]
    return "\n".join(f"| {purpose} | {what} | {size / 1e6:.1f} |" for purpose, what, size in rows)


_PARTS = {
    "spectral": "playing with the spectral decoder (the default)",
    "decoder": "playing with EnCodec's decoder",
    "quantizer": "playing and encoding",
    "lm": "files with the language model (the default)",
    "encoder": "encoding",
}


def _model() -> Iterator[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        for path in write_web(None, Path(folder)):
            yield f"model/{path.name}", path.read_bytes()


def make() -> tuple[str, dict[str, bytes]]:
    """The page, and the files that lie beside it, by name."""
    if not all(path.exists() for path in PACKAGE):
        return _HEAD + _ABSENT, {}
    files = {path.name: path.read_bytes() for path in PACKAGE}
    files.update(_model())
    script = '\n<script type="module" src="player.js"></script>\n\n'
    return _HEAD + script + "\n".join([*_clips(files), _OWN_FILE, _FACTS.format(rows=_sizes(files))]), files


def main() -> None:
    folder = Path(sys.argv[1])
    text, files = make()
    (folder / "live").mkdir(parents=True, exist_ok=True)
    (folder / "live.md").write_text(text, encoding="utf-8")
    for name, content in files.items():
        path = folder / "live" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
