"""Codecs with one small protocol: ours, libopus, LAME, anchors, and peers where installed."""

from .base import AudioCodec, Coded, Encoded, transcode
from .spec import CodecSpec, parse_codecs

__all__ = ["AudioCodec", "CodecSpec", "Coded", "Encoded", "parse_codecs", "transcode"]
