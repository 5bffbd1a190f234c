"""compress, decompress and info: the round trip, and every kind of bad input."""

import json
import re
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from recodec import Codec

EXAMPLES = Path(__file__).parents[2] / "examples"


def _write(path: Path, audio: np.ndarray, rate: int = 24_000, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def _noise(samples: int, channels: int = 1) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=(samples, channels)).astype(np.float32)


def _leftovers(folder: Path, *expected: str) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted(expected)


# ---- what goes in comes out ----------------------------------------------------------------


@pytest.mark.parametrize("version", ["0", "1"])
@pytest.mark.parametrize("samples", [1, 2, 319, 320, 321, 5000])
def test_as_many_samples_come_out(recodec: Callable, model: Path, tmp_path: Path, samples: int, version: str) -> None:
    source = _write(tmp_path / "in.wav", _noise(samples))
    made = recodec("compress", source, tmp_path / "a.ecdc", "--model", model, "-b", 1.8, "--format", version)
    assert made.code == 0
    assert re.fullmatch(r".*a\.ecdc: [\d,]+ bytes, [\d.]+ kbps, [\d.]+ s, \d+ times real time\n", made.err)
    assert recodec("decompress", tmp_path / "a.ecdc", tmp_path / "out.wav", "--model", model).code == 0
    assert soundfile.info(tmp_path / "out.wav").frames == samples
    shown = recodec("info", tmp_path / "a.ecdc").out
    assert f"version {version}" in shown
    assert f"{samples:,}" in shown


@pytest.mark.parametrize(
    "audio",
    [np.zeros(1000), np.full(1000, 0.7), np.where(np.arange(1000) % 7 < 3, 1.0, -1.0), np.full(1000, 1e-30)],
    ids=["silence", "dc", "clipped", "denormal"],
)
def test_extreme_audio_survives(recodec: Callable, model: Path, tmp_path: Path, audio: np.ndarray) -> None:
    source = _write(tmp_path / "in.wav", audio.astype(np.float32))
    assert recodec("compress", source, tmp_path / "a.ecdc", "--model", model).code == 0
    assert recodec("decompress", tmp_path / "a.ecdc", "--model", model).code == 0
    out, rate = soundfile.read(tmp_path / "a.wav")
    assert (out.shape, rate) == ((1000,), 24_000)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44_100, 2), (48_000, 1)])
def test_other_rates_and_channels_are_converted(
    recodec: Callable, model: Path, tmp_path: Path, rate: int, channels: int
) -> None:
    source = _write(tmp_path / "in.flac", _noise(4001, channels), rate, "PCM_16")
    assert recodec("compress", source, "--model", model).code == 0
    assert recodec("decompress", tmp_path / "in.ecdc", tmp_path / "out.flac", "--model", model).code == 0
    info = soundfile.info(tmp_path / "out.flac")
    assert (info.samplerate, info.channels) == (24_000, 1)
    assert abs(info.frames - 4001 * 24_000 / rate) <= 1


def test_the_shipped_model_keeps_speech_recognizable(recodec: Callable, tmp_path: Path) -> None:
    """The envelope of the spectrogram of what comes out follows that of what went in."""
    source = EXAMPLES / "speech.wav"
    assert recodec("compress", source, tmp_path / "s.ecdc", "-b", 6).code == 0
    assert (tmp_path / "s.ecdc").stat().st_size < 1.05 * 5 * 750
    assert recodec("decompress", tmp_path / "s.ecdc", tmp_path / "s.wav").code == 0
    before, after = (soundfile.read(p)[0] for p in (source, tmp_path / "s.wav"))
    assert before.shape == after.shape

    def bands(x: np.ndarray) -> np.ndarray:
        frames = x[: len(x) // 480 * 480].reshape(-1, 480) * np.hanning(480)
        power = np.abs(np.fft.rfft(frames)) ** 2
        return np.log10(np.stack([power[:, a:b].sum(1) for a, b in [(2, 6), (6, 14), (14, 30), (30, 80)]]) + 1e-3)

    correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(bands(before), bands(after), strict=True)]
    assert min(correlations) > 0.8


# ---- bad usage: exit code 2 ----------------------------------------------------------------


def test_nothing_is_overwritten_by_accident(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source, target = _write(tmp_path / "in.wav", _noise(500)), tmp_path / "a.ecdc"
    target.write_bytes(b"precious")
    failed = recodec("compress", source, target, "--model", model)
    assert failed.code == 2
    assert "exists already; use --force" in failed.err
    assert target.read_bytes() == b"precious"
    assert recodec("compress", source, target, "--model", model, "-f").code == 0
    assert target.read_bytes()[:4] == b"ECDC"
    assert recodec("compress", source, source, "--model", model, "-f").code == 2
    assert source.read_bytes()[:4] == b"RIFF"
    assert recodec("decompress", target, source, "--model", model).code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compress", "nowhere.wav"], "does not exist"),
        (["compress"], "Missing argument"),
        (["compress", "{in}", "{dir}/no/such.ecdc"], "there is no folder"),
        (["compress", "{in}", "{dir}"], "is a folder"),
        (["compress", "{in}", "-b", "7"], "doesn't support the bandwidth 7.0"),
        (["compress", "{in}", "-b", "nan"], "bandwidth"),
        (["compress", "{in}", "--backend", "abacus"], "abacus"),
        (["compress", "{in}", "--threads", "0"], "threads"),
        (["frobnicate"], "there is no verb 'frobnicate'"),
        (["info"], "Missing argument"),
    ],
)
def test_bad_usage(recodec: Callable, model: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    source = _write(tmp_path / "in.wav", _noise(500))
    filled = [a.format(**{"in": source, "dir": tmp_path}) for a in arguments]
    if filled[0] == "compress":
        filled += ["--model", str(model)]
    failed = recodec(*filled)
    assert failed.code == 2
    assert message in failed.err
    assert failed.err.startswith("recodec: error: ")
    _leftovers(tmp_path, "in.wav")


def test_an_output_that_cannot_be_written_by_its_suffix(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source = _write(tmp_path / "in.wav", _noise(500))
    recodec("compress", source, tmp_path / "a.ecdc", "--model", model)
    failed = recodec("decompress", tmp_path / "a.ecdc", tmp_path / "out.xyz", "--model", model)
    assert (failed.code, "must end in one of" in failed.err) == (2, True)
    _leftovers(tmp_path, "in.wav", "a.ecdc")


# ---- bad data: exit code 1, one line, no output file ---------------------------------------


def _wav_with_channels(path: Path, channels: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(bytes(2 * channels * 100))
    return path


def _zero_channels(path: Path) -> Path:
    data = bytearray(_wav_with_channels(path, 1).read_bytes())
    data[22:24] = b"\0\0"
    path.write_bytes(data)
    return path


def _with_value(path: Path, value: float) -> Path:
    audio = _noise(1000)
    audio[617] = value
    return _write(path, audio)


BAD_AUDIO: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty file": (lambda p: p.write_bytes(b""), "empty"),
    "text": (lambda p: p.write_text("This is no sound. " * 100), "not an audio file"),
    "no samples": (lambda p: _write(p, _noise(0)), "has no samples"),
    "nan": (lambda p: _with_value(p, float("nan")), "617"),
    "infinite": (lambda p: _with_value(p, float("-inf")), "617"),
    "nine channels": (lambda p: _wav_with_channels(p, 9), "9"),
    "no channels": (_zero_channels, ""),
}


@pytest.mark.parametrize("kind", BAD_AUDIO)
def test_bad_audio(recodec: Callable, model: Path, tmp_path: Path, kind: str) -> None:
    make, message = BAD_AUDIO[kind]
    make(tmp_path / "in.wav")
    failed = recodec("compress", tmp_path / "in.wav", tmp_path / "a.ecdc", "--model", model)
    assert failed.code == 1
    assert message in failed.err
    assert failed.err.count("\n") == 1
    _leftovers(tmp_path, "in.wav")


def _meta_header(samples: int) -> bytes:
    meta = json.dumps({"m": "toy", "al": samples, "nc": 4, "lm": False}).encode()
    return struct.pack("!4sBI", b"ECDC", 0, len(meta)) + meta


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:9],
        lambda data: b"",
        lambda data: b"RIFF" + data[4:],
        lambda data: data[:4] + b"\x09" + data[5:],
        lambda data: _meta_header(2**60) + bytes(100),
        lambda data: data[:40] + bytes([data[40] ^ 0x10]) + data[41:],
    ],
    ids=["half", "header cut", "empty", "other magic", "version 9", "2^60 samples", "flipped bit"],
)
def test_bad_streams(recodec: Callable, model: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    codec = Codec.from_pretrained(model)
    (tmp_path / "a.ecdc").write_bytes(damage(codec.compress(_noise(60_000).T)))
    start = time.monotonic()
    failed = recodec("decompress", tmp_path / "a.ecdc", tmp_path / "out.wav", "--model", model)
    assert failed.code == 1
    assert failed.err.startswith("recodec: error: ")
    assert failed.err.count("\n") == 1
    assert time.monotonic() - start < 20
    _leftovers(tmp_path, "a.ecdc")


def test_another_model_is_refused(recodec: Callable, model: Path, tmp_path: Path) -> None:
    source = _write(tmp_path / "in.wav", _noise(500))
    recodec("compress", source, tmp_path / "a.ecdc", "--model", model)
    failed = recodec("decompress", tmp_path / "a.ecdc", tmp_path / "out.wav")
    assert (failed.code, "another model" in failed.err or "fingerprint" in failed.err) == (1, True)
    _leftovers(tmp_path, "a.ecdc", "in.wav")


def test_a_checkpoint_with_a_missing_tensor_names_it(recodec: Callable, model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((model / "config.json").read_bytes())
    tensors = load_file(model / "model.safetensors")
    del tensors["decoder.layers.0.conv.bias"]
    save_file(tensors, broken / "model.safetensors")
    source = _write(tmp_path / "in.wav", _noise(500))
    failed = recodec("compress", source, tmp_path / "a.ecdc", "--model", broken)
    assert failed.code == 1
    assert "decoder.layers.0.conv.bias" in failed.err
    assert not (tmp_path / "a.ecdc").exists()


def test_a_model_that_is_not_there(recodec: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    source = _write(tmp_path / "in.wav", _noise(500))
    failed = recodec("compress", source, "--model", "nobody/nothing")
    assert failed.code in (1, 2)
    assert "nobody/nothing" in failed.err
    _leftovers(tmp_path, "in.wav")


# ---- the command itself --------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from recodec.cli import run; code = run(['--help']); "
        "heavy = {'torch', 'numpy', 'onnxruntime', 'soundfile', 'tqdm'} & set(sys.modules); "
        "print(sorted(heavy)); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"
    assert "decompress" in result.stdout


def test_every_verb_has_help(recodec: Callable) -> None:
    from recodec.cli import VERBS

    for verb in VERBS:
        shown = recodec(verb, "--help")
        assert shown.code == 0
        assert f"recodec {verb}" in shown.out


@pytest.mark.parametrize("clip", ["speech.wav", "music.wav"])
def test_engines_agree_on_real_audio(clip: str) -> None:
    """The shipped model on ONNX Runtime and on torch: codes, and waveforms of the same codes."""
    audio = soundfile.read(EXAMPLES / clip, dtype="float32")[0][None]
    onnx, torch = (Codec.from_pretrained(engine=engine, threads=1) for engine in ("onnx", "torch"))
    codes, scales = onnx.encode(audio, 12.0)
    assert (codes == torch.encode(audio, 12.0)[0]).mean() >= 0.999
    heard, expected = onnx.decode(codes, scales), torch.decode(codes, scales)
    assert np.abs(heard - expected).max() <= 1e-4 * np.abs(expected).max()
