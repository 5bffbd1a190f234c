"""The endpoints do what the library does, and say in JSON what is wrong."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile

from recodec import Codec, ecdc
from recodec.audio import read_audio
from recodec.wire.v1.header import parse_header, write_header
from support.signals import as_file


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


def test_there_and_back_as_the_library_does_it(make_client: Callable, codec: Codec, wav: bytes) -> None:
    client = make_client()
    audio, _ = read_audio(io.BytesIO(wav))
    for bandwidth in (1.5, 6):
        answer = client.post(f"/api/compress?bandwidth={bandwidth}", content=wav)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        codes = codec.encode(audio, bandwidth)[0]
        assert np.array_equal(codec.unpack(answer.content)[0], codes)
        for decoder in ("spectral", "encodec"):
            heard = client.post(f"/api/decompress?decoder={decoder}&bits=32", content=answer.content)
            assert heard.headers["content-type"] == "audio/wav"
            samples, rate = read_audio(io.BytesIO(heard.content))
            assert rate == codec.sampling_rate
            assert np.array_equal(samples, codec.decompress(answer.content, decoder=decoder))


@pytest.mark.parametrize("form", ["FLAC", "OGG", "AIFF"])
def test_any_kind_of_audio_goes_in(make_client: Callable, recording: np.ndarray, form: str) -> None:
    file = io.BytesIO()
    stereo = np.concatenate([recording, recording])
    soundfile.write(file, np.repeat(stereo, 2, axis=1).T, 48_000, format=form)
    made = make_client().post("/api/compress", content=file.getvalue())
    assert made.status_code == 200
    assert ecdc.inspect(made.content).intact


def test_packets_and_the_language_model_can_be_chosen(make_client: Callable, wav: bytes) -> None:
    client = make_client()
    plain = client.post("/api/compress?bandwidth=6&lm=0", content=wav).content
    coded = client.post("/api/compress?bandwidth=6&lm=1", content=wav).content
    short = client.post("/api/compress?bandwidth=6&packet=0.2", content=wav).content
    assert len(coded) < len(plain)
    assert (ecdc.inspect(plain).num_packets, ecdc.inspect(short).num_packets) == (1, 6)


def test_what_a_file_holds(make_client: Callable, codec: Codec, wav: bytes) -> None:
    client = make_client()
    file = client.post("/api/compress?bandwidth=3", content=wav).content
    facts = client.post("/api/info", content=file).json()
    assert facts == ecdc.facts(file)
    assert (facts["intact"], facts["num_samples"], facts["codebooks"]) == (True, 28_800, {"4": 3.0})
    damaged = bytearray(client.post("/api/compress?packet=0.2", content=wav).content)
    damaged[len(damaged) // 2] ^= 1
    assert client.post("/api/info", content=bytes(damaged)).json()["intact"] is False
    model = client.get("/api/model").json()
    assert (model["name"], model["bandwidths"]) == (codec.name, [1.5, 3.0, 6.0, 12.0])
    assert model["decoders"] == ["spectral", "encodec"]


def test_the_audio_as_the_model_takes_it(make_client: Callable, codec: Codec, recording: np.ndarray) -> None:
    wide = as_file(np.repeat(recording, 2, axis=1), 48_000)
    answer = make_client().post("/api/wav?bits=32", content=wide)
    samples, rate = read_audio(io.BytesIO(answer.content))
    wanted, _ = read_audio(io.BytesIO(wide), rate_hz=codec.sampling_rate, channels=1)
    assert rate == codec.sampling_rate
    assert np.array_equal(samples, wanted)


def test_damage_is_an_error_or_concealed(make_client: Callable, wav: bytes) -> None:
    client = make_client()
    file = client.post("/api/compress?bandwidth=6&packet=0.2", content=wav).content
    cut = file[: len(file) // 2]
    assert client.post("/api/decompress?tolerant=1", content=cut).status_code == 200
    assert error_of(client.post("/api/decompress", content=b"ECDC\x01" + bytes(40))) == (400, "CorruptError")
    assert error_of(client.post("/api/decompress", content=b"EC")) == (400, "TruncatedError")


@pytest.mark.parametrize(
    ("path", "body", "name", "words"),
    [
        ("compress?bandwidth=7", b"", "ConfigError", "1.5, 3.0, 6.0, 12.0"),
        ("compress?bandwidth=x", b"", "ConfigError", "bandwidth must be a plain number"),
        ("compress?bandwidth=nan", b"", "ConfigError", "a plain number such as 6 or 1.5, got 'nan'"),
        ("compress?bandwidth=1_2", b"", "ConfigError", "a plain number"),
        ("compress?bandwidth=6&bandwidth=12", b"", "ConfigError", "'bandwidth' is given twice"),
        ("compress?packet=1e-300", b"", "ConfigError", "a plain number"),
        ("compress?packet=0", b"", "ConfigError", "longer than 0 s and at most 54.6 s, got 0.0"),
        ("compress?packet=55", b"", "ConfigError", "at most 54.6 s, got 55.0"),
        ("compress?lm=maybe", b"", "ConfigError", "one of 1, 0"),
        ("compress?bandwith=6", b"", "ConfigError", "bandwidth, packet, lm"),
        ("compress", b"", "AudioError", "empty"),
        ("compress", b"garbage" * 100, "AudioError", "not an audio file"),
        ("decompress?decoder=/etc/passwd", b"", "ConfigError", "auto, encodec, spectral"),
        ("decompress?decoder=charactr/vocos", b"", "ConfigError", "auto, encodec, spectral"),
        ("decompress?bits=8", b"", "ConfigError", "16, 24, 32"),
        ("decompress", b"garbage" * 100, "CorruptError", "does not begin with ECDC"),
        ("info", b"garbage" * 100, "CorruptError", "does not begin with ECDC"),
        ("wav", b"RIFF\xff\xff\xff\xffWAVEfmt ", "AudioError", "ends before its samples"),
    ],
)
def test_what_is_wrong_is_said(make_client: Callable, path: str, body: bytes, name: str, words: str) -> None:
    answer = make_client().post(f"/api/{path}", content=body)
    assert error_of(answer) == (400, name)
    assert words in answer.json()["message"]


def test_a_cut_recording_is_refused_and_taken_on_request(make_client: Callable, wav: bytes) -> None:
    client, half = make_client(), wav[: len(wav) // 2]
    for path in ("compress", "wav"):
        answer = client.post(f"/api/{path}", content=half)
        assert error_of(answer) == (400, "IncompleteError")
        reason, advice = answer.json()["message"].split("; ")
        assert "was cut off: 0.600 s of 1.200 s" in reason
        assert "partial=1" in advice
        assert answer.json()["reason"] == reason  # for people who have no parameters to set
        assert client.post(f"/api/{path}?partial=1", content=half).status_code == 200


def test_damage_in_a_file_is_said_before_the_answer_begins(make_client: Callable, wav: bytes) -> None:
    client = make_client()
    file = bytearray(client.post("/api/compress?packet=0.2", content=wav).content)
    file[-60] ^= 1
    assert error_of(client.post("/api/decompress", content=bytes(file))) == (400, "CorruptError")
    cut = client.post("/api/decompress", content=bytes(file[:-30]))
    assert error_of(cut)[0] == 400
    assert cut.json()["message"].endswith("; tolerant=1 conceals what is damaged or missing")
    assert client.post("/api/decompress?tolerant=1", content=bytes(file)).status_code == 200
    whole = client.post("/api/compress?packet=0.2", content=wav).content
    cut = client.post("/api/decompress", content=whole[: len(whole) // 2])
    assert error_of(cut) == (400, "TruncatedError")
    sizes = [client.post(f"/api/decompress?tolerant={value}", content=whole).content for value in (0, 1)]
    assert sizes[0] == sizes[1]  # with the length in the header of both
    nothing = whole[: parse_header(whole)[1]]
    answer = client.post("/api/decompress?tolerant=1", content=nothing)
    assert error_of(answer) == (400, "CorruptError")
    assert "no audio in what is left" in answer.json()["message"]


def test_a_form_is_refused(make_client: Callable, wav: bytes) -> None:
    answer = make_client().post("/api/compress", files={"f": wav})
    assert error_of(answer) == (400, "ConfigError")
    assert "the file itself, not a form" in answer.json()["message"]


def test_a_failure_of_the_server_is_said_in_json(make_app: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.testclient import TestClient

    def fail(*_: object) -> None:
        raise ValueError("a secret path")

    monkeypatch.setattr("recodec.serve.files.WebModel.file", fail)
    client = TestClient(make_app(), base_url="http://127.0.0.1:8765", raise_server_exceptions=False)
    answer = client.get("/model/recodec.json")
    assert error_of(answer) == (500, "InternalError")
    assert "secret" not in answer.text


def test_a_file_of_another_model(make_client: Callable, make_app: Callable, wav: bytes) -> None:
    client = make_client()
    file = client.post("/api/compress", content=wav).content
    header, size = parse_header(file)
    other = write_header(replace(header, fingerprint="1" * len(header.fingerprint)))
    answer = client.post("/api/decompress", content=other + file[size:])
    assert error_of(answer) == (400, "ModelMismatchError")


def test_requests_side_by_side_give_the_same(make_client: Callable, wav: bytes) -> None:
    client = make_client(jobs=3)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: client.post("/api/compress?bandwidth=6", content=wav).content, range(6)))
    assert len(set(found)) == 1


def test_damage_in_the_only_packet_is_told(make_client: Callable, wav: bytes) -> None:
    client = make_client()
    file = bytearray(client.post("/api/compress", content=wav).content)
    file[len(file) // 2] ^= 1
    facts = client.post("/api/info", content=bytes(file)).json()
    assert (facts["num_packets"], facts["intact"]) == (0, False)
