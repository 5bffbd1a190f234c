"""Find files: those of a model, in this package, in a folder, or on the Hugging Face hub; and the user's caches."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from .errors import CheckpointError

DEFAULT_MODEL = "recodec_24khz"
DEFAULT_FOLDER = Path(__file__).parent / "weights"
HUB_MODELS = {name: f"facebook/{name}" for name in ("encodec_24khz", "encodec_48khz", "encodec_32khz")}
"""Models that files name without an owner, and their ids on the hub."""

_HASH_OF_TORCH_HUB = re.compile(r"-[0-9a-f]{8}$")

SAFETENSORS_NAME = "model.safetensors"
PICKLE_NAME = "pytorch_model.bin"
INDEX_NAME = "model.safetensors.index.json"
WEIGHTS_NAMES = (SAFETENSORS_NAME, INDEX_NAME, PICKLE_NAME)


def resolve_file(
    name_or_path: str | Path | None,
    filename: str,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    subfolder: str = "",
) -> Path:
    """Find one file of a model, and download it if necessary.

    Args:
        name_or_path: `None` or `recodec_24khz` for the default model that comes with this package, a folder,
            or the id of a model on the hub, for example `facebook/encodec_24khz`.
        filename: within the model, for example `config.json`.
        revision: branch, tag or commit on the hub.
        cache_dir: where downloads are kept, in place of the hub's default folder.
        token: for private models; `True` takes the one that a login has saved.
        local_files_only: use what has been downloaded before, and never the network.
        force_download: download again what has been downloaded before.
        subfolder: of the model, that has the file.

    Raises:
        CheckpointError: if there is no such file, or the hub cannot be reached. A name without `/` that is
            neither a folder nor a shipped model fails at once: no model on the hub has such an id.
    """
    options = {"revision": revision, "cache_dir": cache_dir, "token": token, "local_files_only": local_files_only,
               "force_download": force_download}  # fmt: skip
    return _find(name_or_path, (filename,), subfolder, options)


def resolve_weights(
    name_or_path: str | Path | None,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    subfolder: str = "",
    variant: str | None = None,
    use_safetensors: bool | None = None,
) -> Path:
    """Find the weights of a model: its `model.safetensors`, the index of one in several files, or its
    `pytorch_model.bin`.

    Other arguments and errors as in `resolve_file`; `name_or_path` may also be a file of weights, which is
    returned.

    Args:
        variant: of the weights, for example `fp16` for `model.fp16.safetensors`.
        use_safetensors: whether to take safetensors only, or the older format only; either by default.
    """
    if is_weights_file(name_or_path):
        assert name_or_path is not None
        return Path(name_or_path)
    options = {"revision": revision, "cache_dir": cache_dir, "token": token, "local_files_only": local_files_only,
               "force_download": force_download}  # fmt: skip
    end = f".{variant}" if variant else ""
    names = {True: WEIGHTS_NAMES[:2], False: WEIGHTS_NAMES[2:], None: WEIGHTS_NAMES}[use_safetensors]
    marked = tuple(f"{name.partition('.')[0]}{end}.{name.partition('.')[2]}" for name in names)
    if variant:  # transformers marks an index at its end: model.safetensors.index.fp16.json
        marked += tuple(f"{name.removesuffix('.json')}{end}.json" for name in names if name.endswith(".json"))
    return _find(name_or_path, marked, subfolder, options)


def is_weights_file(name_or_path: str | Path | None) -> bool:
    """Whether a model is given as a single file of weights."""
    return name_or_path is not None and os.path.isfile(name_or_path)


def model_name(name_or_path: str | Path | None) -> str:
    """What `.ecdc` files call a model: the last part of its hub id or folder, or the name of its file.

    torch hub adds a hyphen and 8 digits of a hash to the names of files. They are not part of the model's name.
    """
    if name_or_path is None:
        return DEFAULT_MODEL
    path = Path(name_or_path)
    if path.is_dir():
        path = path.resolve()
    return _HASH_OF_TORCH_HUB.sub("", path.stem) if path.is_file() else path.name


def model_called(name: str) -> str | None:
    """Where to find the model that an `.ecdc` file names; `None`, the default model, for unknown names."""
    return HUB_MODELS.get(name)


def _find(
    name_or_path: str | Path | None,
    filenames: tuple[str, ...],
    subfolder: str,
    options: dict[str, Any],
) -> Path:
    """The first of `filenames` that the model has."""
    # `os.path.isdir` is false, where `Path.is_dir` raises, for names that no file system allows.
    if name_or_path is None or (name_or_path == DEFAULT_MODEL and not os.path.isdir(name_or_path)):
        name_or_path = DEFAULT_FOLDER
    if not os.path.isdir(name_or_path):
        return _download(str(name_or_path), filenames, subfolder, options)
    folder = Path(name_or_path) / subfolder
    for filename in filenames:
        if (folder / filename).is_file():
            return folder / filename
    raise CheckpointError(f"the folder {folder} has no {' and no '.join(filenames)}")


def _check_id(repo_id: str) -> None:
    """Refuse what cannot be the id of a model on the hub, without asking the hub.

    Raises:
        CheckpointError: with the id that was probably meant.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    if "/" not in repo_id:
        meant = HUB_MODELS.get(repo_id)
        hint = f"; did you mean {meant}?" if meant else f"; the shipped model is called {DEFAULT_MODEL}"
        raise CheckpointError(f"there is no folder {repo_id!r} here, and a model on the hub is owner/name{hint}")
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise CheckpointError(f"{repo_id!r} is neither a folder here nor the id of a model on the hub") from error


def _download(repo_id: str, filenames: tuple[str, ...], subfolder: str, options: dict[str, Any]) -> Path:
    _check_id(repo_id)
    # The hub's client is slow to import, and folders do without it.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    reasons: list[Exception] = []
    for filename in filenames:
        try:
            return Path(hf_hub_download(repo_id, filename, subfolder=subfolder or None, **options))
        except LocalEntryNotFoundError as error:  # no network: do not wait for it a second time
            reasons.append(error)
            options = {**options, "local_files_only": True}
        except EntryNotFoundError as error:
            reasons.append(error)
        except (HfHubHTTPError, OSError, ValueError) as error:  # no such model, no access, a full disk
            reasons.append(error)
            break
    lines = str(reasons[0]).strip().splitlines() or [type(reasons[0]).__name__]
    raise CheckpointError(
        f"there is no folder {repo_id!r} here, and the hub gave no {' or '.join(filenames)} for it: {lines[0]}"
    ) from reasons[0]


def cache_folder() -> Path:
    """Where this user's caches are: `$RECODEC_CACHE`, else a folder `recodec` where the system wants caches."""
    if chosen := os.environ.get("RECODEC_CACHE"):
        return Path(chosen)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "recodec"
    home = Path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "recodec"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "recodec" / "Cache"
    return home / ".cache" / "recodec"
