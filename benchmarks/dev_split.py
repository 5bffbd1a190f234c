"""Score a checkpoint and Opus on the dev split in one run: actual kbps, ViSQOL, SI-SNR, mel distance.

python benchmarks/dev_split.py --model runs/a --bandwidth 6 --opus 6 9 12 PATH/dev.tsv
"""

from __future__ import annotations

from common import argument_parser
from tqdm import tqdm

from recodec.evaluation.clips import gather_clips
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.runner import run
from recodec.evaluation.summary import summarize, text_table, time_table
from recodec.evaluation.trials import Trial


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("manifest", help="table of clips with the columns file and group, such as dev.tsv")
    parser.add_argument("--model", action="append", default=[], help="folder of a checkpoint (may be repeated)")
    parser.add_argument("--bandwidth", nargs="+", type=float, default=[6.0], help="of the checkpoint, in kbps")
    parser.add_argument("--opus", nargs="*", type=float, default=[6.0, 9.0, 12.0], help="targets in kbps")
    parser.add_argument("--metrics", nargs="+", default=["visqol", "si_snr", "mel_distance"])
    parser.add_argument("--limit", type=int, help="clips of each kind, the first ones")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--journal", help="folder to remember finished work in")
    options = parser.parse_args()

    texts = [f"recodec:{model}@{rate:g}" for model in options.model for rate in options.bandwidth]
    codecs = parse_codecs(texts + [f"opus@{rate:g}" for rate in options.opus])
    clips = []
    for clip in gather_clips([options.manifest]):
        if options.limit is None or sum(clip.kind == other.kind for other in clips) < options.limit:
            clips.append(clip)
    trials = [Trial(clip, codec, tuple(options.metrics)) for codec in codecs for clip in clips]
    outcomes = list(tqdm(run(trials, workers=options.workers, folder=options.journal), total=len(trials), unit="clip"))
    for outcome in outcomes:
        if outcome.error is not None:
            print(f"failed: {outcome.clip} with {outcome.label}: {outcome.error}")
    print(text_table(summarize(outcomes), ["kbps", *options.metrics]))
    print("\nwhat took the time, over all processes:\n" + time_table(outcomes))


if __name__ == "__main__":
    main()
