"""What the language model saves on a set of codes: by material, bandwidth and length of packets; as Markdown.

    python benchmarks/entropy_savings.py CODES [--lm FOLDER] [--meta RUN]

`CODES` is a folder of codes of held-out clips (`recodec train-lm` makes one in OUT/codes/dev). Savings are
counted from the payloads that the lm writes, against plain codes; in the columns "files" and "joined" from whole
files, header, packets and end included, against files without the language model: one of each clip, and one of all
clips of a material after one another, as a long recording would be. `--meta` is a run of
`benchmarks/lm_forms.py` with Meta's network, whose bits are its cross-entropy in packets of the default length.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import argument_parser
from torch.nn import functional as F

from recodec.hub import DEFAULT_FOLDER
from recodec.lm.coder import LanguageModel
from recodec.lm.meta_network import MetaCodeLM, MetaLMConfig
from recodec.training.codes import CodecShape, read_clips
from recodec.wire.v1.header import DEFAULT_PACKET_S, Header
from recodec.wire.v1.payload import PacketLM, make_packets, write_codes
from recodec.wire.v1.writer import StreamWriter

RATE_HZ, HOP, CODE_BITS = 24_000, 320, 10
FRAME_RATE = RATE_HZ // HOP
GROUPS = ("speech", "music", "sfx")
INTERVALS_S = (1.0, 2.0, 4.0, 8.0, math.inf)
NAMES = {"speech": "speech", "music": "music", "sfx": "other"}


def pieces_of(codes: np.ndarray, packet_s: float) -> list[np.ndarray]:
    """(K, F) codes in packets."""
    frames = codes.shape[1] if math.isinf(packet_s) else round(packet_s * FRAME_RATE)
    return [codes[:, i : i + frames] for i in range(0, codes.shape[1], frames)]


def header_for(codes: np.ndarray, lm: PacketLM | None) -> Header:
    """That of a file of the default model."""
    marks = {} if lm is None else {"table_rule": lm.table_rule, "lm_fingerprint": lm.fingerprint[:16]}
    return Header(RATE_HZ, 1, HOP, len(codes), CODE_BITS, 4096, num_samples=codes.shape[1] * HOP,
                  model="recodec_24khz", fingerprint="0123456789abcdef", **marks)  # fmt: skip


def payload_bytes(codes: np.ndarray, packet_s: float, lm: PacketLM | None) -> int:
    """Of all packets."""
    return sum(len(payload) for _, payload in write_codes(header_for(codes, lm), pieces_of(codes, packet_s), lm))


def file_bytes(codes: np.ndarray, lm: PacketLM | None) -> int:
    """Of the whole file, in packets of the default length."""
    file = io.BytesIO()
    header = header_for(codes, lm)
    writer = StreamWriter(file, header)
    for packet in make_packets(header, 0, pieces_of(codes, DEFAULT_PACKET_S), None, lm):
        writer.write(packet)
    writer.finish(codes.shape[1] * HOP)
    return len(file.getvalue())


def meta_bytes(run: Path, num_codebooks: int) -> Callable[[np.ndarray], float]:
    """Bytes of codes by the cross-entropy of Meta's network, in packets of the default length."""
    state = torch.load(run / "state.pt", weights_only=True)["model"]
    width, layers = state["emb.0.weight"].shape[1], len({k.split(".")[2] for k in state if ".layers." in k})
    feed_forward = state["transformer.layers.0.linear1.weight"].shape[0]
    model = MetaCodeLM(MetaLMConfig(num_codebooks, width=width, num_layers=layers, feed_forward=feed_forward,
                                    num_heads=4 if width < 200 else 8))  # fmt: skip
    model.load_state_dict(state)

    @torch.no_grad()
    def count(codes: np.ndarray) -> float:
        total = 0.0
        for piece in pieces_of(codes, DEFAULT_PACKET_S):
            x = torch.from_numpy(piece[None])
            total += float(F.cross_entropy(model(x).flatten(0, 2), x.flatten(), reduction="sum"))
        return total / math.log(2) / 8

    return count


def read_groups(folder: Path, shape: CodecShape) -> dict[str, list[np.ndarray]]:
    """The codes (K, F) of the clips of each material."""
    groups: dict[str, list[np.ndarray]] = {}
    for clip in read_clips(folder, shape, GROUPS):
        groups.setdefault(clip.group, []).append(clip.codes)
    return groups


def sizes(clips: list[np.ndarray], lm: PacketLM, meta: Callable[[np.ndarray], float] | None) -> np.ndarray:
    """(2, columns): bytes with the language model, and without one."""
    joined = np.concatenate(clips, axis=1)
    plain = joined.size * CODE_BITS / 8
    coded: list[float] = [sum(payload_bytes(clip, interval, lm) for clip in clips) for interval in INTERVALS_S]
    coded += [sum(file_bytes(clip, lm) for clip in clips), file_bytes(joined, lm)]
    coded.append(0.0 if meta is None else sum(map(meta, clips)))
    bare = [sum(file_bytes(clip, None) for clip in clips), file_bytes(joined, None)]
    return np.array([coded, [plain] * len(INTERVALS_S) + bare + [plain]])


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("codes", type=Path)
    parser.add_argument("--lm", default=str(DEFAULT_FOLDER))
    parser.add_argument("--meta", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shape = CodecShape.of(None)
    groups = read_groups(options.codes, shape)
    lm = LanguageModel.load(options.lm)
    meta = None if options.meta is None else meta_bytes(options.meta, shape.config.num_quantizers)
    heads = [f"{i:g} s" if math.isfinite(i) else "whole" for i in INTERVALS_S]
    columns = [*heads, "files", "joined", *(["Meta's form"] if meta else [])]
    print(f"| kbps | material | {' | '.join(columns)} |")
    print("| ---: | --- |" + " ---: |" * len(columns))
    for bandwidth, count in shape.counts.items():
        sums: dict[str, np.ndarray] = {}
        for group, clips in groups.items():
            found = sizes([clip[:count] for clip in clips], lm, meta)
            for name in (group, "total"):
                sums[name] = sums.get(name, np.zeros_like(found)) + found
        for group, (coded, plain) in sorted(sums.items()):
            cells = " | ".join(f"{100 * value:.1f} %" for value in (1 - coded / plain)[: len(columns)])
            print(f"| {bandwidth:g} | {NAMES.get(group, group)} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
