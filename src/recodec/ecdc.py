"""`.ecdc` files and bytes: looked into, checked, cut, joined and lowered, without the model's networks.

    from recodec import ecdc

    found = ecdc.inspect("speech.ecdc")                       # a path, bytes, or an open file
    found.duration_s, found.bandwidth_kbps, found.intact
    ecdc.cut("speech.ecdc", "start.ecdc", stop_s=2.0)
    codes, scales, num_samples = ecdc.unpack(data)

What changes a file takes a `source` (a path, the bytes of a file, or an open binary file that can seek) and a
`target`: a path, whose file appears whole or not at all; an open binary file; or `None`, which returns the bytes.
Errors are those of `recodec.errors`: `BitstreamError` for bytes that are damaged or of another model.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from . import presets
from .atomic import atomic_write
from .codec import Codec
from .codec.container import AnyLM, open_reader
from .codec.convert import to_version1
from .codec.files import open_source
from .codec.files import unpack as _unpack
from .codec.loading import find_lm
from .codec.version0 import EcdcReader0
from .config import EncodecConfig
from .errors import ConfigError, UnsupportedError
from .hub import model_called
from .pipes import read_up_to
from .text import counted
from .wire.v1 import editing
from .wire.v1.header import MAGIC, Header
from .wire.v1.index import seek
from .wire.v1.inspection import Inspection
from .wire.v1.inspection import inspect as _inspect
from .wire.v1.reader import PacketReader

Source = str | Path | bytes | IO[bytes]
Target = str | Path | IO[bytes] | None
T = TypeVar("T")

__all__ = ["Inspection", "concat", "cut", "facts", "inspect", "peel", "unpack", "upgrade", "verify"]


def inspect(source: Source) -> Inspection:
    """Read a file of version 1 to its end, whatever its state, and say what it holds and what is damaged.

    Raises:
        UnsupportedError: for a file of version 0, which has no checksums: whether it is damaged cannot be said.
        TruncatedError, CorruptError: for one whose size is not what its header promises, where that can be known.
        BitstreamError: if it is not a file of ours at all.
    """
    with open_source(source) as file:
        if not _is_version0(file):
            return _inspect(file)
        reader = EcdcReader0(file)
        right = "its size is right, but " if reader.check_size(presets.named(reader.model)) else ""
        raise UnsupportedError(
            f"a file of version 0 has no checksums: {right}whether its codes are damaged cannot be said"
        )


def facts(source: Source) -> dict[str, Any]:
    """What a file of either version holds, as plain values for JSON.

    Keys: `size_bytes`, `version`, `model`, `fingerprint`, `num_samples` (`None` where nothing tells it),
    `num_codebooks`, `coded`; of version 1 also `duration_s`, `sampling_rate`, `channels`, `codebooks` (their numbers
    in the file, and for each its kbps), `bandwidth_kbps`, `num_packets`, `num_coded`, `intact`, `complete`
    (whether the end is there), `lost_s` (`None` if the end is missing and the length is not known), and `loss` (the
    same in words; `None` for a good file). Version 0 has no checksums, but `complete` and `loss` where its size tells
    them: `complete` is `None` for files of unknown models and of Meta's language model.

    Raises:
        BitstreamError: if it is not a file of ours at all.
    """
    with open_source(source) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        reader = open_reader(file, tolerant=True)  # damage is told, not raised
        found: dict[str, Any] = {
            "size_bytes": size, "version": reader.version, "model": reader.model, "fingerprint": reader.fingerprint,
            "num_samples": reader.num_samples, "num_codebooks": reader.num_codebooks, "coded": reader.is_coded,
        }  # fmt: skip
        if isinstance(reader, EcdcReader0):
            complete, loss = reader.state_by_size(presets.named(reader.model))
            return found | {"complete": complete, "loss": loss}
        file.seek(0)
        held = _inspect(file)
    header = held.header
    each = header.frame_rate * header.code_bits / 1000
    return found | {
        "num_samples": held.num_samples, "duration_s": held.duration_s, "sampling_rate": header.sampling_rate,
        "channels": header.channels, "codebooks": {str(count): each * count for count in sorted(held.frames)},
        "bandwidth_kbps": held.bandwidth_kbps, "num_packets": held.num_packets, "num_coded": held.num_coded,
        "intact": held.intact, "complete": held.complete,
        "lost_s": held.lost_s if held.knows_loss else None,
        "loss": None if held.intact else held.loss,
    }  # fmt: skip


def verify(source: Source) -> None:
    """Check every packet of a file.

    Raises:
        CorruptError, TruncatedError: if something is damaged or missing: the error with which decoding it would end.
        UnsupportedError, BitstreamError: as `inspect`.
    """
    with open_source(source) as file:
        found = inspect(file)
        if not found.intact:
            file.seek(0)
            for _ in PacketReader().read_from(file):
                pass
        found.check()  # what decoding does not see, such as a wrong index


def cut(
    source: Source,
    target: Target = None,
    *,
    start_s: float = 0.0,
    stop_s: float | None = None,
    model: str | Path | None = None,
    tolerant: bool = False,
    overwrite: bool = False,
) -> bytes | tuple[float, float]:
    """Keep a stretch of a file of version 1.

    Args:
        source, target: see above.
        start_s, stop_s: in seconds; to the end if `stop_s` is not given. It is cut at frames; segments of models
            that have them are kept whole, and so are packets coded with a language model that is not here.
        model: whose language model coded the packets; the one that the file names by default.
        tolerant: go on after damage; what is lost stays lost.
        overwrite: whether a file that is there may be replaced.

    Returns:
        the bytes where `target` is `None`, else where the stretch that was kept begins and ends, in seconds.

    Raises:
        ConfigError: if there is nothing between `start_s` and `stop_s`.
        BitstreamError: see above.
    """

    def edit(file: IO[bytes], header: Header, out: IO[bytes]) -> tuple[float, float]:
        rate = header.sampling_rate
        stop = None if stop_s is None else round(stop_s * rate)
        try:
            kept = editing.cut(file, out, round(start_s * rate), stop, lm=find_lm(header, model), tolerant=tolerant)
        except editing.EmptyCutError as error:
            until = "the end" if stop_s is None else f"{stop_s:g} s"
            raise ConfigError(f"there is nothing between {start_s:g} s and {until}") from error
        return kept.start / rate, (kept.start + kept.num_samples) / rate

    return _edited(source, target, edit, overwrite)


def concat(
    sources: Sequence[Source], target: Target = None, *, tolerant: bool = False, overwrite: bool = False
) -> bytes | None:
    """Join files of one model. Each sounds in the joined file as it did alone; their bandwidths may differ.

    Args:
        sources: at least one.
        target, tolerant, overwrite: as in `cut`.

    Returns:
        the bytes where `target` is `None`.

    Raises:
        ConfigError: if there is no source.
        BitstreamError: see above.
    """
    if not sources:
        raise ConfigError("there is no file to join")
    with ExitStack() as stack:
        files = [stack.enter_context(open_source(source)) for source in sources]
        with _out(target, overwrite) as out:
            editing.concatenate(files, out, tolerant=tolerant)
    return out.getvalue() if isinstance(out, io.BytesIO) and target is None else None


def peel(
    source: Source,
    target: Target = None,
    *,
    bandwidth: float | None = None,
    num_codebooks: int | None = None,
    model: str | Path | None = None,
    tolerant: bool = False,
    overwrite: bool = False,
) -> bytes | None:
    """Lower the bandwidth of a file of version 1 by leaving out its finest codebooks.

    The result is what `Codec.compress` would have written at that bandwidth.

    Args:
        source, target, model, tolerant, overwrite: as in `cut`.
        bandwidth: in kbps before entropy coding, as for `Codec.compress`; it must be a whole number of codebooks.
        num_codebooks: to keep, in place of `bandwidth`.

    Returns:
        the bytes where `target` is `None`.

    Raises:
        ConfigError: for a bandwidth that is not a whole number of codebooks, or more than the file has.
        BitstreamError: see above.
    """

    def edit(file: IO[bytes], header: Header, out: IO[bytes]) -> None:
        count = _codebooks(header, bandwidth, num_codebooks)
        editing.peel(file, out, count, lm=find_lm(header, model), tolerant=tolerant)

    return _edited(source, target, edit, overwrite)


def upgrade(
    source: Source,
    target: Target = None,
    *,
    bandwidth: float | None = None,
    model: str | Path | None = None,
    lm: bool = True,
    meta_lm: str | Path | None = None,
    overwrite: bool = False,
) -> bytes | None:
    """Make version 1 of a file of version 0, Meta's: what `Codec.compress` writes of the same codes.

    Args:
        source, target, overwrite: as in `cut`.
        bandwidth: the most to keep, in kbps before entropy coding, one of the model's; all by default.
        model: that wrote the file; the one that it names by default.
        lm: whether the new packets are coded with the model's language model, if it has one.
        meta_lm: checkpoint of Meta's language model, for a file that is coded with it. Needs torch.

    Returns:
        the bytes where `target` is `None`.

    Raises:
        ConfigError: for a bandwidth that the model does not have, or if torch is needed and not installed.
        CheckpointError: if the model or `meta_lm` is not found or not valid.
        BitstreamError: see above.
    """
    with open_source(source) as file:
        called = open_reader(file).model
        file.seek(0)
        codec = Codec.from_pretrained(model_called(called) if model is None else model)
        theirs = None if meta_lm is None else codec.load_meta_lm(meta_lm)
        count = None if bandwidth is None else codec.config.choose_quantizers(bandwidth)
        with _out(target, overwrite) as out:
            own = codec.language_model if lm else None
            to_version1(file, out, codec.engine, num_quantizers=count, lm=own, meta_lm=theirs)
    return out.getvalue() if isinstance(out, io.BytesIO) and target is None else None


def unpack(
    source: Source, *, model: str | Path | None = None, lm: AnyLM | None = None
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Codes (K, F) int64, scales (S,) or `None`, and the number of samples of a file of either version.

    Args:
        source: see above.
        model: that wrote the file; the one that it names by default. Of a file of version 1, only its language
            model is read, and only if packets are coded; of one of version 0 its configuration.
        lm: the language model, in place of the model's own.

    Raises:
        BitstreamError: see above; also if the number of codebooks changes within the file.
    """
    with open_source(source) as file:
        reader = open_reader(file)
        if reader.version == 0:
            name = model_called(reader.model) if model is None else model
            return _unpack(reader, EncodecConfig.from_pretrained(name), lm)
        if lm is None and reader.is_coded:
            position = file.tell()
            lm = find_lm(seek(file, 0).header, model)
            file.seek(position)
        return _unpack(reader, None, lm)


# ---- parts ---------------------------------------------------------------------------------


@contextmanager
def _out(target: Target, overwrite: bool) -> Iterator[IO[bytes]]:
    if target is None:
        yield io.BytesIO()
    elif isinstance(target, (str, Path)):
        with atomic_write(target, overwrite=overwrite) as file:
            yield file
    else:
        yield target


def _edited(
    source: Source, target: Target, edit: Callable[[IO[bytes], Header, IO[bytes]], T], overwrite: bool
) -> bytes | T:
    """Run an edit of a file of version 1; the bytes, or what it returned."""
    with open_source(source) as file:
        if _is_version0(file):
            raise UnsupportedError("a file of version 0 cannot be edited: upgrade it to version 1 first")
        header = seek(file, 0).header
        file.seek(0)
        with _out(target, overwrite) as out:
            result = edit(file, header, out)
    return out.getvalue() if isinstance(out, io.BytesIO) and target is None else result


def _is_version0(file: IO[bytes]) -> bool:
    """By the first bytes; a damaged front is left to the reader of version 1, which can mend it."""
    front = read_up_to(file, len(MAGIC) + 1)
    file.seek(0)
    return front == MAGIC + b"\0"


def _codebooks(header: Header, bandwidth: float | None, num_codebooks: int | None) -> int:
    """The codebooks that a bandwidth, or a number, means for a file."""
    if (bandwidth is None) == (num_codebooks is None):
        raise ConfigError("give bandwidth or num_codebooks, and not both")
    each = header.frame_rate * header.code_bits / 1000
    if num_codebooks is None:
        assert bandwidth is not None
        num_codebooks = round(bandwidth / each)
        if num_codebooks < 1 or abs(num_codebooks * each - bandwidth) > 1e-6 * bandwidth:
            choices = ", ".join(f"{count * each:g}" for count in range(1, header.codebooks + 1))
            raise ConfigError(f"the file has no bandwidth of {bandwidth:g} kbps; it can be lowered to {choices}")
    if not 1 <= num_codebooks <= header.codebooks:
        there = f"{counted(header.codebooks, 'codebook')} ({header.codebooks * each:g} kbps)"
        raise ConfigError(f"the file has {there}; asked for were {num_codebooks} ({num_codebooks * each:g} kbps)")
    return num_codebooks
