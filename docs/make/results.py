"""Make `docs/results.md`: a model against Opus on the dev split, with pictures. `make results` runs it.

    python docs/make/results.py PATH/dev.tsv --model FOLDER
    python docs/make/results.py PATH/dev.tsv --card src/recodec/weights/README.md

With `--card`, the table between the two marks of a model's card is made again, too.

The full report, with players, is written beside the journal (`--work`); the page in `docs/` keeps
the tables and the curves.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from recodec import Codec
from recodec.atomic import write_text
from recodec.evaluation.campaign import Campaign, evaluate
from recodec.evaluation.clips import KINDS, gather_clips
from recodec.evaluation.codebooks import codebook_use
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.metrics import ALL_METRICS
from recodec.evaluation.report.curves import curve_svg
from recodec.evaluation.summary import Cell, format_interval, summarize
from recodec.evaluation.trials import Outcome

MARKS = ("<!-- figures -->", "<!-- end of figures -->")
CARD = ("visqol", "pesq_wb", "estoi")
LEVELS = ("level_1000", "level_2000", "level_4000", "level_8000")
PICTURES = ("visqol", "si_snr", "mel_distance")
LEFT_OUT = ("encode_speed", "decode_speed", "kbps_entropy")  # of the machine; of the language model: exact-entropy.md
HEAD = """# Results

{model} against libopus and MP3, on the {clips} clips of the dev split ({kinds}), by `make results`.
Means over clips, with half the width of the 95% interval (bootstrap over clips). The bitrate is the
actual one, counted from the bytes of coded audio without headers and container. Every metric's
definition, range and source stand in its docstring in `src/recodec/evaluation/metrics/`, and in the report
that `recodec evaluate` writes.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", help="table of clips with the columns file and group, such as dev.tsv")
    parser.add_argument("--model", help="folder of a checkpoint; the default model if left out")
    parser.add_argument("--bandwidth", nargs="+", type=float, default=[1.5, 3.0, 6.0, 12.0])
    parser.add_argument("--opus", nargs="+", type=float, default=[6.0, 9.0, 12.0, 16.0, 24.0])
    parser.add_argument("--mp3", nargs="+", type=float, default=[16.0, 32.0])
    parser.add_argument("--limit", type=int, help="clips of each kind, the first ones: for a trial")
    parser.add_argument("--metrics", nargs="+", help="all by default")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--work", default="build/results", help="folder of the journal and the full report")
    parser.add_argument("--out", default="docs", help="folder that gets results.md and results/")
    parser.add_argument("--card", type=Path, help="card of the model, whose table is made again")
    options = parser.parse_args()

    end = "" if options.model is None else f":{options.model}"
    ours = ["recodec", "recodec-encodec"]
    if Codec.from_pretrained(options.model).spectral_decoder is None:
        ours = ["recodec"]
    codecs = parse_codecs([f"{name}{end}" for name in ours], options.bandwidth)
    codecs += parse_codecs(["opus"], options.opus) + parse_codecs(["mp3"], options.mp3) + parse_codecs(["lowpass"])
    clips = gather_clips([], manifests=[options.manifest])
    if options.limit is not None:
        clips = [clip for kind in KINDS for clip in [c for c in clips if c.kind == kind][: options.limit]]
    more: dict[str, Any] = {} if options.metrics is None else {"metrics": tuple(options.metrics)}
    campaign = Campaign(clips, codecs, title="Recodec, Opus and MP3 on the dev split", **more)
    outcomes = evaluate(
        campaign,
        options.work,
        workers=options.workers,
        watch=lambda stream, total: tqdm(stream, total=total, unit="clip"),
    )
    write_document(
        outcomes,
        Path(options.out),
        model="The default model" if options.model is None else f"`{Path(options.model).name}`",
    )
    if options.card is not None:
        text = options.card.read_text(encoding="utf-8")
        (before, rest), end = text.split(MARKS[0]), MARKS[1]
        table = card_table(summarize(outcomes))
        write_text(options.card, f"{before}{MARKS[0]}\n{table}{end}{rest.split(end)[1]}")


def write_document(outcomes: Sequence[Outcome], folder: Path, *, model: str) -> None:
    """Write `results.md`, and the curves as `results/METRIC-KIND.svg`."""
    cells = summarize(outcomes)
    good = {outcome.path: outcome.kind for outcome in outcomes if outcome.error is None}
    kinds = [kind for kind in KINDS if kind in good.values()]
    counts = ", ".join(f"{list(good.values()).count(kind)} {kind}" for kind in kinds)
    parts = [HEAD.format(model=model, clips=len(good), kinds=counts)]
    (folder / "results").mkdir(parents=True, exist_ok=True)
    for metric in PICTURES:
        links = []
        for kind in kinds:
            svg = curve_svg(cells, metric, kind, title=kind.capitalize(), legend=True)
            if svg:
                name = f"results/{metric}-{kind}.svg"
                write_text(folder / name, svg.replace("<svg", '<svg style="background: #fff"', 1))
                links.append(f"![{ALL_METRICS[metric].title}, {kind}]({name})")
        if links:
            parts.append(f"## {ALL_METRICS[metric].title}\n\n" + "\n".join(links) + "\n")
    parts += [table(cells, kind) for kind in kinds]
    parts.append(codebook_table(outcomes))
    failures = [f"- {o.clip} with {o.label}: {o.error}" for o in outcomes if o.error is not None]
    if failures:
        parts.append("## Failures\n\n" + "\n".join(failures) + "\n")
    write_text(folder / "results.md", "\n".join(part for part in parts if part))


def table(cells: Sequence[Cell], kind: str) -> str:
    """The figures of one kind of sound."""
    rows = [cell for cell in cells if cell.kind == kind]
    keys = [key for key in ALL_METRICS if key not in LEFT_OUT and any(key in cell.values for cell in rows)]
    heads = [ALL_METRICS[key].title + (f" [{ALL_METRICS[key].unit}]" if ALL_METRICS[key].unit else "") for key in keys]
    lines = [f"## {kind.capitalize()}", "", "| | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(keys)]
    for cell in rows:
        lines.append(f"| {cell.label} | " + " | ".join(format_interval(cell.values.get(key)) for key in keys) + " |")
    return "\n".join(lines) + "\n"


def card_table(cells: Sequence[Cell]) -> str:
    """The figures that a model's card shows, of all kinds of sound."""
    heads = [ALL_METRICS[key].title.removesuffix(" wide band").replace("Extended STOI", "ESTOI") for key in CARD]
    lines = [
        f"| material | codec | kbps | {' | '.join(heads)} | level, dB: 0.1-1 / 1-2 / 2-4 / 4-8 kHz |",
        f"| --- | --- | ---: |{' ---: |' * len(CARD)} --- |",
    ]
    for cell in cells:
        if cell.family == "lowpass":
            continue
        name = cell.label.replace("Recodec, EnCodec's decoder", "recodec_24khz, EnCodec's decoder,")
        name = name.replace("Recodec", "**recodec_24khz**")
        values = [format_interval(cell.values.get(key)) for key in CARD]
        values[1:] = [value.split(" ")[0] for value in values[1:]]  # the first one's interval is enough
        levels = [format_interval(cell.values.get(key)).split(" ")[0] for key in LEVELS]
        kind = {"other": "effects"}.get(cell.kind, cell.kind)
        kbps = format_interval(cell.values.get("kbps")).split(" ")[0]
        lines.append(f"| {kind} ({cell.clips}) | {name} | {kbps} | {' | '.join(values)} | {' / '.join(levels)} |")
    return "\n".join(lines) + "\n"


def codebook_table(outcomes: Sequence[Outcome]) -> str:
    """Use and entropy of each level at the highest bandwidth: lower ones use the first of these levels."""
    levels = codebook_use(outcomes)
    if not levels:
        return ""
    top = max((level.codec for level in levels), key=lambda codec: sum(level.codec == codec for level in levels))
    lines = ["## Codebooks", "", "| level | used | entropy [bits] | nominal [bits] |", "| ---: | ---: | ---: | ---: |"]
    for level in levels:
        if level.codec == top:
            use = f"{100 * level.used:.1f}%"
            lines.append(f"| {level.level} | {use} | {level.entropy_bits:.2f} | {level.nominal_bits:.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
