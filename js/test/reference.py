"""What Python makes of the files that the tests in Node read: `python test/reference.py DIR`.

Writes to DIR what `recodec export --web` writes (`model/`), outcomes of all golden files, whole and damaged
(`wire.json`), files, codes and audio of two clips (`codec/`), and the same of a small model like the 48 kHz one, with
random weights (`stereo/`). Nothing of it is committed.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from recodec import Codec, presets  # noqa: E402
from recodec.audio.files import AudioReader  # noqa: E402
from recodec.checkpoint import expected_tensors, write_safetensors  # noqa: E402
from recodec.cli.export import write_web  # noqa: E402
from recodec.ecdc import inspect  # noqa: E402
from recodec.errors import BitstreamError, CorruptError  # noqa: E402
from recodec.wire.v1.index import seek  # noqa: E402
from recodec.wire.v1.packets import End, Packet  # noqa: E402
from recodec.wire.v1.payload import read_codes  # noqa: E402
from recodec.wire.v1.reader import PacketReader  # noqa: E402
from support.golden_streams import GOLDEN  # noqa: E402
from support.streams import ToyCoder, spans_of  # noqa: E402

CLIP_S = 3.1
STEREO_S = 2.3  # three segments, the last one short
SEEK_SAMPLES = (0, 1, 3000, 9000, 100_000)


class CachedCoder(ToyCoder):
    """Decodes equal payloads once: most damage leaves most packets alone."""

    known: ClassVar[dict[tuple[bytes, tuple[int, int], int], np.ndarray]] = {}

    def decode(self, payloads, shapes):
        found = []
        for payload, shape in zip(payloads, shapes, strict=True):
            key = (payload, shape, len(self.table))
            if key not in self.known:
                self.known[key] = super().decode([payload], [shape])[0]
            found.append(self.known[key])
        return found


def outcome(data: bytes, tolerant: bool) -> str:
    """Events, damage, codes and errors of a stream, as `outcome` in wire.test.ts writes them."""
    reader, lines, packets = PacketReader(tolerant=tolerant), [], []
    try:
        for event in reader.read_from(io.BytesIO(data)):
            lines.append(_line(event))
            packets += [event] if isinstance(event, Packet) else []
    except BitstreamError as error:
        lines.append(f"! {type(error).__name__}: {error}")
    if reader.header is not None and packets:
        for found in read_codes(reader.header, packets, CachedCoder(reader.header.code_bits)):
            if isinstance(found, CorruptError):
                lines.append(f"X {found}")
            else:
                lines.append(f"C {zlib.crc32(np.ascontiguousarray(found.T, '<i4').tobytes())}")
    lines += [f"D {damage.offset} {damage.size} {damage.reason}" for damage in reader.damages]
    return "\n".join([*lines, f"N {reader.num_damages}"])


def _line(event: object) -> str:
    match event:
        case Packet():
            scale, restart = event.scale if event.scale is None else repr(event.scale), int(event.restart)
            parts = (event.start, event.frames, event.codebooks, event.kind, scale, restart, event.offset)
            return " ".join(map(str, ("P", *parts, zlib.crc32(event.payload))))
        case End():
            return f"E {event.start} {event.num_samples} {','.join(f'{o}:{s}' for o, s in event.entries)}"
        case _:
            return f"L {event.start} {event.stop}"


def report(data: bytes) -> str:
    """What an inspection and a few seeks find."""
    try:
        found = inspect(data)
        lines = [f"{found.size_bytes} {found.num_packets} {found.num_coded} {found.num_sections}",
                 f"{found.payload_bytes} {found.end_tick} {found.num_samples} {int(found.intact)} {found.lost_ticks}",
                 *found.faults()]  # fmt: skip
    except BitstreamError as error:
        lines = [f"! {type(error).__name__}: {error}"]
    for sample in SEEK_SAMPLES:
        try:
            place = seek(io.BytesIO(data), sample)
            lines.append(f"S {place.offset} {place.start}")
        except BitstreamError as error:
            lines.append(f"! {type(error).__name__}: {error}")
    return "\n".join(lines)


def surgeries(data: bytes) -> Iterator[bytes]:
    """Packets dropped, doubled, swapped, and bytes put in or taken out."""
    spans = spans_of(data)
    for (begin, stop), (_, later) in zip(spans, [*spans[1:], spans[-1]], strict=True):
        yield data[:begin] + data[stop:]
        yield data[:stop] + data[begin:]
        yield data[:begin] + data[stop:later] + data[begin:stop] + data[later:]
        yield data[:begin] + b"noise\xec\xd1" + data[begin:]
        yield data[: begin + 1] + data[begin + 3 :]
        yield data[: begin + 4] + bytes(5) + data[begin + 9 :]
    yield data + b"more"
    yield data + data
    yield b"\xec\xd1ECDC\x01" + data
    yield data[:4] + b"\x07" + data[5:]
    yield b""
    yield b"RIFF" + data


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def wire() -> dict[str, object]:
    """Outcomes of all golden files: whole, each bit flipped, cut at each byte, and after surgery."""
    made: dict[str, object] = {}
    for name in GOLDEN:
        data = (ROOT / "tests" / "golden" / "wire_v1" / f"{name}.ecdc").read_bytes()
        flips = []
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            flips.append(bytes(flipped))
        cuts = [data[:size] for size in range(len(data))]
        other = list(surgeries(data))
        made[name] = {
            "data": base64.b64encode(data).decode(),
            "whole": [outcome(data, False), outcome(data, True), report(data)],
            "surgeries": [base64.b64encode(case).decode() for case in other],
            "digests": [
                digest("\n".join([outcome(c, False), outcome(c, True), report(c)])) for c in flips + cuts + other
            ],
        }
    return made


def codec(folder: Path) -> None:
    """Files of two clips at all bandwidths, with their codes and their audio by both decoders."""
    folder.mkdir(parents=True, exist_ok=True)
    coder = Codec.from_pretrained()
    cases = []
    for clip in ("speech", "music"):
        with AudioReader(ROOT / "examples" / f"{clip}.wav", rate_hz=coder.sampling_rate, channels=1) as reader:
            audio = np.concatenate(list(reader.pieces()), axis=1)[:, : round(CLIP_S * coder.sampling_rate)]
        (folder / f"{clip}.f32").write_bytes(audio.astype("<f4").tobytes())
        for bandwidth in coder.config.target_bandwidths:
            data = coder.compress(audio, bandwidth)
            case = f"{clip}_{bandwidth:g}"
            (folder / f"{case}.ecdc").write_bytes(data)
            (folder / f"{case}.plain.ecdc").write_bytes(coder.compress(audio, bandwidth, lm=False))
            (folder / f"{case}.v0.ecdc").write_bytes(coder.compress(audio, bandwidth, version=0))
            (folder / f"{case}.codes").write_bytes(coder.unpack(data)[0].T.astype("<i4").tobytes())
            for decoder in ("encodec", "spectral"):
                decoded = coder.decompress(data, decoder=decoder)
                (folder / f"{case}.{decoder}.f32").write_bytes(decoded.astype("<f4").tobytes())
            cases.append({"name": case, "clip": clip, "bandwidth": bandwidth, "samples": audio.shape[1]})
    damaged(coder, audio, folder)
    (folder / "cases.json").write_text(json.dumps(cases))


def damaged(coder: Codec, audio: np.ndarray, folder: Path) -> None:
    """A stream with short packets, some of them lost; how it sounds; and the sound after a seek."""
    file = io.BytesIO()
    with coder.writer(file, 6.0, packet_s=0.1) as writer:
        writer.push(audio)
    data = file.getvalue()
    spans = spans_of(data)
    lost = {3, 9, 10, 11, 12, 13, 20, 21}
    kept = b"".join(data[b:e] for i, (b, e) in enumerate(spans) if i not in lost)
    broken = data[: spans[0][0]] + kept + data[spans[-1][1] :]
    (folder / "lossy.ecdc").write_bytes(broken)
    (folder / "short.ecdc").write_bytes(data)
    for decoder in ("encodec", "spectral"):
        heard = coder.decompress(broken, tolerant=True, decoder=decoder)
        (folder / f"lossy.{decoder}.f32").write_bytes(heard.astype("<f4").tobytes())
        cut = coder.decompress(data[:-200], tolerant=True, decoder=decoder)
        (folder / f"cut.{decoder}.f32").write_bytes(cut.astype("<f4").tobytes())
        late = np.concatenate(list(coder.play(data, start=60_123, decoder=decoder)), axis=1)
        (folder / f"late.{decoder}.f32").write_bytes(late.astype("<f4").tobytes())


def stereo(folder: Path) -> None:
    """A model with all that the 48 kHz one has, and few weights: its files, with their codes and their audio."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    config = dataclasses.replace(
        presets.encodec_48khz(), num_filters=4, hidden_size=32, codebook_dim=None, target_bandwidths=(3.0, 6.0)
    )
    tensors = {name: random_tensor(rng, name, shape) for name, shape in expected_tensors(config).items()}
    config.save_pretrained(folder / "source")
    write_safetensors(folder / "source" / "model.safetensors", tensors)
    write_web(str(folder / "source"), folder / "model")
    coder = Codec.from_pretrained(folder / "source", engine="onnx")
    time = np.arange(round(STEREO_S * coder.sampling_rate)) / coder.sampling_rate
    tones = np.sin(2 * np.pi * np.array([[440.0], [660.0]]) * time) * np.sin(2 * np.pi * 0.4 * time)
    audio = (0.4 * tones + 0.05 * rng.standard_normal(tones.shape)).astype(np.float32)
    (folder / "clip.f32").write_bytes(audio.astype("<f4").tobytes())
    for version in (0, 1):
        data = coder.compress(audio, 6.0, version=version)
        (folder / f"v{version}.ecdc").write_bytes(data)
    (folder / "codes").write_bytes(coder.unpack(data)[0].T.astype("<i4").tobytes())
    (folder / "heard.f32").write_bytes(coder.decompress(data).astype("<f4").tobytes())


def random_tensor(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Weights that keep a signal's level about as it is."""
    if name.endswith(("norm.weight", "inited", "cluster_size")):
        return np.ones(shape, np.float32)
    scale = 1.0 if "codebook" in name else 0.1 if len(shape) == 1 else np.prod(shape[1:]) ** -0.5
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def main() -> None:
    """Write everything."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "recodec", "export", "--web", "--force", str(out / "model")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT / "src")})
    (out / "wire.json").write_text(json.dumps(wire()))
    stereo(out / "stereo")
    codec(out / "codec")


if __name__ == "__main__":
    main()
