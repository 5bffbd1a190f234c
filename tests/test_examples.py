"""The scripts of `examples/` run, on a short clip, as the first lines of each say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recodec import Codec
from recodec.audio import read_audio, write_audio

EXAMPLES = Path(__file__).parents[1] / "examples"
SECONDS = 1.1
RATE = 24_000


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.from_pretrained(threads=1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A tone under noise, in a folder of its own."""
    (tmp_path / "clips").mkdir()
    time = np.arange(round(SECONDS * RATE)) / RATE
    audio = 0.3 * np.sin(2 * np.pi * 300 * time) + 0.02 * np.random.default_rng(0).standard_normal(time.size)
    write_audio(tmp_path / "clips" / "clip.wav", audio[None].astype(np.float32), RATE)
    return tmp_path / "clips" / "clip.wav"


def run(name: str, *arguments: object, folder: Path, modules: Path | None = None) -> str:
    """What a script prints; it is run in a folder, and finds `modules` before the installed ones."""
    places = [str(modules) if modules else "", os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True, text=True, timeout=240, cwd=folder, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_script_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    names = sorted(path.name for path in EXAMPLES.glob("*.py"))
    assert len(names) == 5
    assert [name for name in names if f'run("{name}"' not in text] == []


def test_compress(codec: Codec, clip: Path, tmp_path: Path) -> None:
    printed = run("compress.py", clip, "clip.ecdc", "again.wav", "--bandwidth", 3, folder=tmp_path)
    data, (audio, _) = (tmp_path / "clip.ecdc").read_bytes(), read_audio(clip)
    assert np.array_equal(codec.unpack(data)[0], codec.encode(audio, 3.0)[0])
    again, rate = read_audio(tmp_path / "again.wav")
    assert (again.shape, rate) == (audio.shape, RATE)
    assert np.abs(again - codec.decompress(data)).max() < 1e-3  # a step of 16 bits, and no more
    assert f"clip.ecdc: {len(data)} bytes" in printed


def test_tokens(codec: Codec, clip: Path, tmp_path: Path) -> None:
    printed = run("tokens_for_a_language_model.py", clip, "again.wav", "--codebooks", 2, folder=tmp_path)
    codes, _ = codec.encode(read_audio(clip)[0], num_quantizers=2)
    size = codec.config.codebook_size
    assert f"{codes.size} tokens of a vocabulary of {2 * size}, 150 a second" in printed
    assert f"the first frame: [{codes[0, 0]}, {codes[1, 0] + size}]" in printed
    again, _ = read_audio(tmp_path / "again.wav")
    assert np.abs(again - codec.decode(codes, None, again.shape[1])).max() < 1e-3
    assert again.shape == (1, round(SECONDS * RATE))


def test_live_from_a_file_to_a_file(codec: Codec, clip: Path, tmp_path: Path) -> None:
    printed = run("live_microphone.py", clip, "heard.wav", "--bandwidth", 3, folder=tmp_path)
    samples = round(SECONDS * RATE)
    assert f"{samples} samples out for {samples} in; 83 frames on the way" in printed
    assert "delay 13.3 ms" in printed
    heard, _ = read_audio(tmp_path / "heard.wav")
    assert np.abs(heard - _streamed(codec, read_audio(clip)[0])).max() < 1e-3


def test_live_without_a_microphone_takes_the_clip_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    printed = run("live_microphone.py", folder=tmp_path, modules=tmp_path)
    assert "no microphone (PortAudio library not found): speech.wav takes its place" in printed
    assert read_audio(tmp_path / "heard.wav")[0].shape == (1, 5 * RATE)


def test_live_from_a_microphone(codec: Codec, clip: Path, tmp_path: Path) -> None:
    """With a stand-in for `sounddevice`: three frames come in, and then Ctrl-C."""
    (tmp_path / "sounddevice.py").write_text(SOUNDDEVICE)
    np.save(tmp_path / "spoken.npy", read_audio(clip)[0].T)
    printed = run("live_microphone.py", "--bandwidth", 3, folder=tmp_path, modules=tmp_path)
    assert printed.startswith("speak; Ctrl-C ends it\n960 samples out for 960 in; 3 frames on the way")
    heard = np.load(tmp_path / "heard.npy").T
    assert np.abs(heard - _streamed(codec, read_audio(clip)[0][:, :960])).max() < 1e-6


SOUNDDEVICE = """
import numpy as np

class _Stream:
    def __init__(self, *, samplerate, channels, dtype, blocksize=0):
        assert (samplerate, channels, dtype) == (24_000, 1, "float32")
        self.position, self.heard = 0, []
    def __enter__(self):
        return self
    def __exit__(self, *error):
        if self.heard:
            np.save("heard.npy", np.concatenate(self.heard))

class InputStream(_Stream):
    def read(self, frames):
        if self.position == 3 * frames:
            raise KeyboardInterrupt
        self.position += frames
        return np.load("spoken.npy")[self.position - frames : self.position], False

class OutputStream(_Stream):
    def write(self, data):
        assert data.flags.c_contiguous and data.dtype == np.float32
        self.heard.append(data)
"""


def _streamed(codec: Codec, audio: np.ndarray) -> np.ndarray:
    """What a live stream of 3 kbps makes of audio."""
    encoder, decoder = codec.stream_encoder(3.0), codec.stream_decoder()
    codes = np.concatenate([encoder.push(audio), encoder.finish()], axis=1)
    return np.concatenate([decoder.push(codes), decoder.finish()], axis=1)[:, : audio.shape[1]]


def test_fine_tune(codec: Codec, clip: Path, tmp_path: Path) -> None:
    arguments = (clip.parent, "tuned", "--batch-size", 1, "--crop-s", 0.25, "--updates")
    printed = run("fine_tune.py", *arguments, 2, folder=tmp_path)
    assert [line.partition(":")[0] for line in printed.splitlines()[:-1]] == ["update 1", "update 2"]
    assert printed.endswith(f"{Path('tuned', 'model')} reads files of the model that it began with\n")
    audio, _ = read_audio(clip)
    tuned = Codec.from_pretrained(tmp_path / "tuned" / "model", threads=1)
    codes, _ = codec.encode(audio)
    assert np.array_equal(tuned.encode(audio)[0], codes)
    assert not np.array_equal(tuned.decode(codes), codec.decode(codes))
    printed = run("fine_tune.py", *arguments, 3, folder=tmp_path)
    assert [line.partition(":")[0] for line in printed.splitlines()[:-1]] == ["update 1", "update 2", "update 3"]


def test_batch(codec: Codec, clip: Path, tmp_path: Path) -> None:
    audio, _ = read_audio(clip)
    (clip.parent / "more").mkdir()
    write_audio(clip.parent / "more" / "short.flac", audio[:, :7000], RATE)
    printed = run("batch_on_a_gpu.py", clip.parent, "codes", "--bandwidth", 3, folder=tmp_path)
    assert printed.startswith("2 recordings, 1.4 s of audio, in ")
    for name, samples in (("clip.wav.npz", audio), ("more/short.flac.npz", audio[:, :7000])):
        with np.load(tmp_path / "codes" / name) as found:
            assert found["num_samples"] == samples.shape[1]
            same = found["codes"] == codec.encode(samples, 3.0)[0]
            assert same.mean() > 0.99  # the torch engine rounds sums in another order
