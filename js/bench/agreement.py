"""How far the npm package and Python agree on clips: `python bench/agreement.py FOLDER`, after `npm run build`.

Node encodes each clip (audio files of any rate, taken as mono at the model's) at every bandwidth, and decodes what it
made. Python decodes the same files, and encodes the same clips. Printed are the codes that differ, and what else does,
which should be nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from recodec import Codec  # noqa: E402
from recodec.audio.files import AudioReader  # noqa: E402
from recodec.cli.export import write_web  # noqa: E402

DECODERS = ("encodec", "spectral")


@dataclass
class Sums:
    """What was found, over all files."""

    files: int = 0
    codes: int = 0
    other_codes: int = 0
    frames: int = 0
    other_frames: int = 0
    unlike_unpacked: int = 0
    unlike_packed: int = 0
    largest: float = 0.0

    def add(self, codec: Codec, audio: np.ndarray, bandwidth: float, made: Path) -> None:
        """Compare what Node made of a clip, `made.ecdc`, `made.codes` and its audio, with Python."""
        file = made.with_suffix(".ecdc").read_bytes()
        here, scales, num_samples = codec.unpack(file)
        there = np.fromfile(made.with_suffix(".codes"), "<i4").reshape(-1, here.shape[0]).T
        own, _ = codec.encode(audio, bandwidth)
        differ = own != there
        self.files += 1
        self.codes += own.size
        self.other_codes += int(differ.sum())
        self.frames += own.shape[1]
        self.other_frames += int(differ.any(0).sum())
        self.unlike_unpacked += not np.array_equal(here, there)
        self.unlike_packed += codec.pack(there, scales, num_samples) != file
        for decoder in DECODERS:
            heard = np.fromfile(made.with_suffix(f".{decoder}"), "<f4")
            self.largest = max(self.largest, float(np.abs(codec.decompress(file, decoder=decoder)[0] - heard).max()))


def main() -> None:
    clips = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_file())
    codec, sums = Codec.from_pretrained(threads=1), Sums()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_web(None, folder / "model")
        sounds = {}
        for clip in clips:
            with AudioReader(clip, rate_hz=codec.sampling_rate, channels=1) as reader:
                sounds[clip.stem] = np.concatenate(list(reader.pieces()), axis=1)
            sounds[clip.stem].astype("<f4").tofile(folder / f"{clip.stem}.f32")
        script = Path(__file__).with_suffix(".mjs")
        subprocess.run(["node", str(script), str(folder), *sounds], check=True)
        for name, audio in sounds.items():
            for bandwidth in codec.config.target_bandwidths:
                sums.add(codec, audio, bandwidth, folder / f"{name}_{1000 * bandwidth:.0f}")
    print(f"{len(clips)} clips, {sums.files} files made in Node")
    print(f"encoder: {sums.other_codes} of {sums.codes} codes, in {sums.other_frames} of {sums.frames} frames, differ")
    print(f"files whose codes Python reads differently: {sums.unlike_unpacked}")
    print(f"files that Python writes differently from the same codes: {sums.unlike_packed}")
    print(f"largest difference of decoded audio: {sums.largest:.1e}")


if __name__ == "__main__":
    main()
