"""Every error that Recodec raises on purpose. Catch `RecodecError` to catch them all.

Where the reference raises a `ValueError` or a `RuntimeError`, ours is one as well, so that
code written for `transformers` keeps catching it.
"""


class RecodecError(Exception):
    """Root of all errors of this package."""


class ConfigError(RecodecError, ValueError):
    """A configuration that no network can be built from, or a setting the model does not have."""


class AudioError(RecodecError, ValueError):
    """Audio that cannot be read, or that a model cannot take (rate, channels, NaN, empty).

    Args:
        reason: what is wrong.
        advice: what helps on the command line, in Python or over HTTP; the message has it after the reason.
    """

    def __init__(self, reason: str = "", advice: str = "") -> None:
        super().__init__(f"{reason}; {advice}" if advice else reason)
        self.reason, self.advice = reason, advice


PARTIAL_TAKES = "--partial (partial=True in Python, partial=1 over HTTP) takes"
"""Begins the advice of an `IncompleteError`."""


class IncompleteError(AudioError):
    """An audio file that was cut off or is damaged. `partial` takes what there is of it, if its advice says so."""


class CheckpointError(RecodecError, ValueError):
    """Weights that are missing, misshapen, unknown or unsafe to load."""


class TrainingError(RecodecError, RuntimeError):
    """A training run that cannot go on."""


class BitstreamError(RecodecError, ValueError):
    """Bytes that are not a stream of ours. Its subclasses say in which way."""


class TruncatedError(BitstreamError):
    """The stream ends before its content does."""


class CorruptError(BitstreamError):
    """The stream contradicts itself."""


class UnsupportedError(BitstreamError):
    """A stream of a version or kind that this reader does not know."""


class ModelMismatchError(BitstreamError):
    """The stream was written with another model than the one in use."""
