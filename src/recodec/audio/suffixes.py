"""Names of audio files."""

AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
        ".w64", ".rf64", ".bw64", ".m4a", ".m4b", ".aac", ".mp4", ".mov", ".webm", ".mka", ".mkv", ".wma", ".wv",
        ".ape", ".ac3", ".amr", ".tta", ".mp2", ".mpc", ".voc",
    }
)  # fmt: skip
"""Of files that hold audio; some take the package `av` to read."""
