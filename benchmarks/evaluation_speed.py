"""All metrics against the slowest alone, on the same clips, codecs and cores: the ratio should be below 1.2.

python benchmarks/evaluation_speed.py PATH/dev.tsv --limit 34
"""

from __future__ import annotations

from common import argument_parser, timed

from recodec.evaluation.clips import KINDS, gather_clips
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.metrics import PAIR_METRICS
from recodec.evaluation.runner import run
from recodec.evaluation.summary import step_times
from recodec.evaluation.trials import Trial


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("manifest", help="table of clips with the columns file and group")
    parser.add_argument("--codec", nargs="+", default=["opus@6,12", "mp3@32"])
    parser.add_argument("--limit", type=int, default=34, help="clips of each kind")
    parser.add_argument("--workers", type=int)
    options = parser.parse_args()
    everything = gather_clips([], manifests=[options.manifest])
    clips = [clip for kind in KINDS for clip in [c for c in everything if c.kind == kind][: options.limit]]
    codecs = parse_codecs(options.codec)
    figures = []
    for metrics in (tuple(PAIR_METRICS), ("visqol",)):
        trials = [Trial(clip, codec, metrics) for clip in clips for codec in codecs]
        outcomes, seconds = timed(lambda t=trials: list(run(t, workers=options.workers)))
        figures.append((seconds.wall, seconds.children))
        steps = ", ".join(f"{step} {share:.0%}" for step, _, share in step_times(outcomes))
        used = f"{seconds.wall:.1f} s, {seconds.children:.1f} s of CPU"
        print(f"{len(trials)} trials, {len(metrics)} metrics: {used}: {steps}")
    print(f"ratio: {figures[0][0] / figures[1][0]:.3f} by the clock, {figures[0][1] / figures[1][1]:.3f} by CPU time")


if __name__ == "__main__":
    main()
