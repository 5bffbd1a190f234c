"""A whole evaluation: clips times codecs, results and report in one folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..atomic import write_text
from ..errors import AudioError, ConfigError
from .clips import Clip
from .codebooks import codebook_use
from .codecs import CodecSpec
from .metrics import PAIR_METRICS, USUAL_METRICS
from .results import write_codebooks, write_results
from .runner import run
from .trials import Outcome, Trial


@dataclass(frozen=True)
class Campaign:
    """What to evaluate.

    Attributes:
        clips: recordings.
        codecs: codecs at their settings.
        metrics: keys of `PAIR_METRICS`; `USUAL_METRICS` by default. Bitrates and speeds are always taken.
        players: clips of each kind that the report lets one hear, the first ones that can be read.
        title: of the report.
        live: as of `report_page`.
    """

    clips: Sequence[Clip]
    codecs: Sequence[CodecSpec]
    metrics: Sequence[str] = USUAL_METRICS
    players: int = 2
    title: str = "Codec evaluation"
    live: str | None = None

    def __post_init__(self) -> None:
        if not self.clips:
            raise AudioError("there is nothing to evaluate: name files, a folder or a manifest")
        if not self.codecs:
            raise ConfigError("name at least one codec")
        unknown = [key for key in self.metrics if key not in PAIR_METRICS]
        if unknown:
            raise ConfigError(f"unknown metric {unknown[0]!r}; known are {', '.join(PAIR_METRICS)}")
        for key in self.metrics:
            missing = [name for name in PAIR_METRICS[key].packages if find_spec(name) is None]
            if missing:
                raise ConfigError(f"the metric {key} needs {', '.join(missing)}: pip install 'recodec[speech]'")
        for codec in self.codecs:
            codec.check_bandwidth()

    def trials(self, folder: str | Path, broken: Collection[str] = ()) -> list[Trial]:
        """Trials clip by clip, the same clip's codecs next to each other.

        Args:
            folder: of the results.
            broken: paths of clips that have nothing to play: they take no place of a player.
        """
        audible: dict[str, int] = {}
        trials = []
        for clip in self.clips:
            audible[clip.kind] = audible.get(clip.kind, 0) + (clip.path not in broken)
            heard = clip.path in broken or audible[clip.kind] <= self.players
            keep = str(Path(folder) / "audio") if heard else None
            trials += [Trial(clip, codec, tuple(self.metrics), keep) for codec in self.codecs]
        return trials


def evaluate(
    campaign: Campaign,
    folder: str | Path,
    *,
    workers: int | None = None,
    table: str = "results.csv",
    report: bool = True,
    watch: Callable[[Iterable[Outcome], int], Iterable[Outcome]] | None = None,
) -> list[Outcome]:
    """Do all trials of a campaign and write what came of them into a folder.

    Written are `journal.jsonl` (as work goes on; a run that was interrupted is resumed from it), the
    tidy table, `codebooks.csv` if a codec has codebooks, and `report.html`.

    Args:
        campaign: what to evaluate.
        folder: made if it is not there.
        workers: processes; one a core by default.
        table: name of the tidy table, with the ending `.csv` or `.parquet`.
        report: whether to write the page.
        watch: wraps the stream of outcomes, which is `watch(outcomes, total)`, for a progress bar.

    Returns:
        the outcomes in the order of the trials.

    Raises:
        ConfigError: for a table of another ending.
    """
    if Path(table).suffix not in (".csv", ".parquet"):
        raise ConfigError(f"results are written as .csv or .parquet, not as {table!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Outcome] = {}
    broken: set[str] = set()
    while True:
        trials = campaign.trials(folder, broken)
        todo = [trial for trial in trials if trial.key not in found]
        stream: Iterable[Outcome] = run(todo, workers=workers, folder=folder)
        found |= {outcome.key: outcome for outcome in (watch(stream, len(todo)) if watch else stream)}
        silent = _silent(trials, found)
        if silent == broken:
            break
        broken = silent  # the next clips take their places, and are coded again to be kept
    outcomes = [found[trial.key] for trial in trials]
    write_results(folder / table, outcomes)
    levels = codebook_use(outcomes)
    if levels:
        write_codebooks(folder / "codebooks.csv", levels)
    if report:
        from .report import report_page

        write_text(folder / "report.html", report_page(outcomes, title=campaign.title, live=campaign.live))
    return outcomes


def _silent(trials: Iterable[Trial], found: Mapping[str, Outcome]) -> set[str]:
    """Paths of the clips that were to be heard, and of which nothing came."""
    kept = [trial for trial in trials if trial.keep_in is not None]
    return {trial.clip.path for trial in kept} - {t.clip.path for t in kept if found[t.key].error is None}
