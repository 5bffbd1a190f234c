"""Where recordings lie: one lister, one list of suffixes, one reader of manifests and one way to open a recording.

`compress`, `tokenize`, `train`, `train-lm`, `evaluate` and `compare` find the same recordings in the same place.

    for entry in list_input("speech/").entries:     # a folder, a manifest, tars, Parquet files, a data set, a pattern
        for recording in read_entry(entry):
            ...
"""

from ..audio.suffixes import AUDIO_SUFFIXES
from .entries import Entry, Part, Recording, Sound, TableRow, open_bytes
from .files import is_audio, walk
from .listing import Listing, list_input
from .names import Names, clean_id, fits_as_file, printable
from .reading import open_recording, read_entry, reason
from .sample_shards import open_samples, place_of, to_audio
from .stretches import Stretches, stretches_of

__all__ = [
    "AUDIO_SUFFIXES",
    "Entry",
    "Listing",
    "Names",
    "Part",
    "Recording",
    "Sound",
    "Stretches",
    "TableRow",
    "clean_id",
    "fits_as_file",
    "is_audio",
    "list_input",
    "open_bytes",
    "open_recording",
    "open_samples",
    "place_of",
    "printable",
    "read_entry",
    "reason",
    "stretches_of",
    "to_audio",
    "walk",
]
