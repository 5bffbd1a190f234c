"""One trial: a clip through a codec, and every metric of the result. Runs in a worker process."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Hashable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_bytes
from ..corpus import reason
from ..errors import RecodecError
from .clips import Clip
from .codecs import AudioCodec, CodecSpec, Coded, transcode
from .metrics import PAIR_METRICS, STREAM_METRICS, Pair, UndefinedMetricError


@dataclass(frozen=True)
class Trial:
    """A clip, a codec, the pair metrics to take, and where to keep the decoded audio, if at all."""

    clip: Clip
    codec: CodecSpec
    metrics: tuple[str, ...]
    keep_in: str | None = None

    @property
    def key(self) -> str:
        """Identifies the trial and the state of the files it reads, so that finished work is known again."""
        parts = [repr(self), _stamp(self.clip.path)]
        if self.codec.weights:
            parts += [_stamp(path) for path in _weight_files(self.codec.weights)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]

    @property
    def audio_path(self) -> str | None:
        """Where the decoded audio goes, if it is kept."""
        if self.keep_in is None:
            return None
        name = hashlib.sha256(f"{self.clip.path}\n{self.codec}".encode()).hexdigest()[:16]
        return str(Path(self.keep_in) / f"{name}.flac")


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Attributes:
        key: of the trial.
        clip, kind, codec, family, bandwidth_kbps: whose it is.
        values: metric to value.
        undefined: metric to the reason why it has none.
        seconds: step (`load`, which includes checkpoints, `encode`, `decode`, a metric) to the time it took.
        error: why the trial failed as a whole, or `None`.
        code_counts: for each level a map from code to how often it came; empty without codebooks.
        codebook_size: entries of a codebook, or `None`.
        duration_s: of the clip.
        audio: where the decoded audio lies, if it was kept.
        ecdc: where the `.ecdc` file lies that a page can play, if there is one.
        ecdc_decoder: which decoder made `audio` of it.
    """

    key: str
    clip: str
    path: str
    kind: str
    codec: str
    family: str
    label: str
    bandwidth_kbps: float | None
    values: dict[str, float] = field(default_factory=dict)
    undefined: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    code_counts: list[dict[str, int]] = field(default_factory=list)
    codebook_size: int | None = None
    duration_s: float = 0.0
    audio: str | None = None
    ecdc: str | None = None
    ecdc_decoder: str | None = None

    @property
    def kept(self) -> list[str]:
        """The files that were kept for the report."""
        return [path for path in (self.audio, self.ecdc) if path is not None]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def failed(trial: Trial, reason: str) -> Outcome:
    """The outcome of a trial that could not be done."""
    return Outcome(error=reason, **_whose(trial))


def run_trial(trial: Trial) -> Outcome:
    """Do a trial. A file or a codec that fails gives an outcome with `error`; nothing is raised for them."""
    start = time.perf_counter()
    try:
        audio, rate_hz, features = _recording(trial.clip, _stamp(trial.clip.path))
        codec = _codec(trial.codec)
        load_s = time.perf_counter() - start
        coded = transcode(codec, audio, rate_hz)
        pair = Pair(audio, coded.audio, rate_hz, trial.clip.kind, features)
    except (RecodecError, OSError, ImportError) as error:
        return failed(trial, reason(error))
    except Exception as error:  # a peer's or a library's own error must not end a long run
        return failed(trial, f"{type(error).__name__}: {error}")
    outcome = _measure(trial, coded, pair, load_s)
    return outcome if trial.audio_path is None else replace(outcome, **_keep(trial.audio_path, coded, rate_hz))


def _measure(trial: Trial, coded: Coded, pair: Pair, load_s: float) -> Outcome:
    values: dict[str, float] = {}
    undefined: dict[str, str] = {}
    seconds = {"load": load_s, "encode": coded.encode_s, "decode": coded.decode_s}
    for key, metric in STREAM_METRICS.items():
        try:
            values[key] = metric.measure(coded)
        except UndefinedMetricError as error:
            undefined[key] = str(error)
    for key in trial.metrics:
        metric = PAIR_METRICS[key]
        if pair.kind not in metric.kinds:
            continue
        start = time.perf_counter()
        try:
            values[key] = metric.measure(pair)
        except UndefinedMetricError as error:
            undefined[key] = str(error)
        except Exception as error:  # as above: a fault in one library costs one value
            undefined[key] = f"{type(error).__name__}: {error}"
        seconds[key] = time.perf_counter() - start
    encoded = coded.encoded
    counts = [] if encoded.codes is None else [_counts(level) for level in encoded.codes]
    return Outcome(
        values=values, undefined=undefined, seconds=seconds, code_counts=counts,
        codebook_size=encoded.codebook_size, duration_s=pair.seconds, **_whose(trial),
    )  # fmt: skip


def _whose(trial: Trial) -> dict[str, Any]:
    clip, codec = trial.clip, trial.codec
    return {
        "key": trial.key, "clip": clip.name, "path": clip.path, "kind": clip.kind, "codec": str(codec),
        "family": codec.family, "label": codec.label, "bandwidth_kbps": codec.bandwidth_kbps,
    }  # fmt: skip


@lru_cache(maxsize=2)
def _recording(clip: Clip, stamp: str) -> tuple[np.ndarray, int, dict[Hashable, Any]]:
    """A clip, its rate, and room for what metrics know of it: trials of one clip come one after the other."""
    audio, rate_hz = clip.read()
    return audio, rate_hz, {}


@lru_cache(maxsize=16)
def _codec(spec: CodecSpec) -> AudioCodec:
    return spec.build()


def _counts(level: np.ndarray) -> dict[str, int]:
    codes, counts = np.unique(level, return_counts=True)
    return {str(code): int(count) for code, count in zip(codes, counts, strict=True)}


def flac_bytes(audio: np.ndarray, rate_hz: int) -> bytes:
    """(C, T) as a 16-bit FLAC file; what lies beyond full scale is clipped."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(audio.T, -1.0, 1.0 - 2**-15), rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _keep(path: str, coded: Coded, rate_hz: int) -> dict[str, str]:
    """Write what the report lets one hear; returns what an outcome says of it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, flac_bytes(coded.audio, rate_hz))
    file = coded.encoded.page_file
    if file is None:
        return {"audio": path}
    ecdc = str(Path(path).with_suffix(".ecdc"))
    write_bytes(ecdc, file.make())
    return {"audio": path, "ecdc": ecdc, "ecdc_decoder": file.decoder}


def _weight_files(model: str) -> list[str]:
    folder = Path(model)
    if not folder.is_dir():
        return [model]
    return sorted(str(path) for path in folder.iterdir() if path.is_file() and path.suffix != ".md")  # cards change


def _stamp(path: str) -> str:
    try:
        stat = Path(path).stat()
    except OSError:
        return "absent"
    return f"{stat.st_size} {stat.st_mtime_ns}"
