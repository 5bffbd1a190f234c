"""Names of audio files."""

AUDIO_SUFFIXES = frozenset(
    {
        ".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf",
        ".w64", ".rf64", ".bw64", ".m4a", ".m4b", ".m4r", ".m4v", ".aac", ".mp4", ".mov", ".3gp", ".3g2", ".webm",
        ".mka", ".mkv", ".wma", ".wmv", ".asf", ".wv", ".ape", ".ac3", ".ec3", ".eac3", ".dts", ".amr", ".awb", ".tta",
        ".mp1", ".mp2", ".mpc", ".mpg", ".mpeg", ".ts", ".m2ts", ".mts", ".vob", ".avi", ".flv", ".f4v", ".ogv",
        ".ogx", ".spx", ".voc", ".sph", ".nist", ".ircam", ".sf", ".avr", ".8svx", ".svx", ".paf", ".xi", ".sds",
        ".wve", ".pvf", ".htk", ".gsm", ".g722", ".rm", ".ra", ".ismv", ".dsf", ".adx", ".sox", ".mmf", ".wtv", ".gxf",
        ".sbc", ".loas", ".latm",
    }
)  # fmt: skip
"""Of files that hold audio; some take the package `av` to read."""
