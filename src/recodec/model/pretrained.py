"""Models from and to files and the Hugging Face hub."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from .. import checkpoint
from ..atomic import write_bytes
from ..config import EncodecConfig
from ..errors import ConfigError
from ..hub import SAFETENSORS_NAME, is_weights_file, resolve_file, resolve_weights
from ..nn.pickled import read_pickled

_SETTINGS = {field.name for field in dataclasses.fields(EncodecConfig)} - {"extra"}
_Model = TypeVar("_Model", bound="PretrainedMixin")


class PretrainedMixin(nn.Module):
    """`from_pretrained`, `save_pretrained`, `push_to_hub` and `fingerprint` of a model built from a config."""

    config: EncodecConfig

    def __init__(self, config: EncodecConfig) -> None:
        super().__init__()
        self.config = config

    @classmethod
    def from_pretrained(
        cls: type[_Model],
        name_or_path: str | Path | None = None,
        *,
        config: EncodecConfig | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        subfolder: str = "",
        variant: str | None = None,
        use_safetensors: bool | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        device: torch.device | str | None = None,
        device_map: torch.device | str | None = None,
        strict: bool = True,
        **others: Any,
    ) -> _Model:
        """Load a model, in evaluation mode, from any layout in the wild (see `checkpoint.conform`).

        Args:
            name_or_path: `None` for the default model that comes with this package; a folder; the id of
                a model on the hub; or a file of weights, such as Meta's `encodec_24khz-d7cc33bc.th`.
            config: in place of the model's `config.json`. A file of weights needs it unless it is one of
                the released models, which are recognized by their shapes.
            revision, cache_dir, token, local_files_only, force_download, subfolder: as in `hub.resolve_file`.
            variant, use_safetensors: as in `hub.resolve_weights`.
            dtype: precision of the weights, for example `torch.float16`; float32 by default, however
                they are stored, and `"auto"` for the precision that they are stored in. `torch_dtype` is its old
                name.
            device: where to put them; `device_map` is another name.
            strict: whether weights may be neither missing (they stay random) nor unexpected.
            others: `pretrained_model_name_or_path`, another name of the first argument; `low_cpu_mem_usage`,
                `trust_remote_code`, `attn_implementation` and `output_loading_info=False` of `transformers` are taken,
                and have no effect; settings of `EncodecConfig` by name, such as `return_dict=False`, take the place of
                the model's.

        Raises:
            CheckpointError: if there is no such model, or its weights do not fit its configuration.
            ConfigError: if its configuration does not describe an EnCodec model, or `dtype` is not a precision.
        """
        name_or_path = others.pop("pretrained_model_name_or_path", name_or_path)
        settings = {key: others.pop(key) for key in list(others) if key in _SETTINGS}
        _refuse_unknown(cls.__name__, others)
        wanted = torch_dtype if dtype is None else dtype
        precision = None if wanted == "auto" else _precision(wanted)
        hub: dict[str, Any] = {
            "revision": revision, "cache_dir": cache_dir, "token": token, "local_files_only": local_files_only,
            "force_download": force_download, "subfolder": subfolder,
        }  # fmt: skip
        if config is None and not is_weights_file(name_or_path):
            config = EncodecConfig.from_pretrained(name_or_path, **hub)
        path = resolve_weights(name_or_path, variant=variant, use_safetensors=use_safetensors, **hub)
        for name in checkpoint.shard_names(path):
            resolve_file(name_or_path, name, **hub)
        read = checkpoint.read_weights if path.suffix in (".safetensors", ".json") else read_pickled
        tensors = read(path)
        precision = _stored_precision(tensors) if precision is None else precision
        config = checkpoint.guess_config(tensors) if config is None else config
        config = dataclasses.replace(config, **settings)
        # Checked before the network is built: a mismatch costs nothing, and names the tensors.
        tensors = checkpoint.conform(tensors, config, strict=strict)
        model = cls(config)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, strict=strict)
        return model.to(device=device_map if device is None else device, dtype=precision).eval()

    def get_encoder(self) -> nn.Module:
        """The encoder, by the method of `transformers`."""
        return self.get_submodule("encoder")

    def get_decoder(self) -> nn.Module:
        """The decoder, by the method of `transformers`."""
        return self.get_submodule("decoder")

    def save_pretrained(
        self,
        save_directory: str | Path,
        *,
        safe_serialization: bool = True,
        push_to_hub: bool = False,
        max_shard_size: int | str | None = None,
    ) -> None:
        """Write `config.json` and `model.safetensors` into a folder, which is made if need be.

        Args:
            save_directory: the folder.
            safe_serialization, push_to_hub: of `transformers`; only their defaults are taken (see `push_to_hub`, the
                method).
            max_shard_size: of `transformers`; it has no effect, as a codec model is one small file.

        `transformers.EncodecModel.from_pretrained` loads them. A folded model is saved unfolded, and
        makes the same weights again, bit for bit.
        """
        if not safe_serialization or push_to_hub:
            raise ConfigError("weights are saved as safetensors, and put on the hub by the method push_to_hub")
        folder = Path(save_directory)
        saved = _unfolded(self.state_dict(), self.config)
        precision = str(next(self.parameters()).dtype).removeprefix("torch.")
        extra = {"architectures": ["EncodecModel"], **self.config.extra, "torch_dtype": precision}
        extra.pop("dtype", None)  # the newer name of the same thing
        dataclasses.replace(self.config, extra=extra).save_pretrained(folder)
        write_bytes(folder / SAFETENSORS_NAME, save(saved, metadata={"format": "pt"}))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        commit_message: str = "Upload model",
    ) -> str:
        """Save the model to the Hugging Face hub, into a repository that is made if need be.

        Args:
            repo_id: for example `somebody/some-codec`.
            private: whether a new repository is private; the account's default if not given.
            token: `None` or `True` takes the one that was saved by a login.
            revision: branch, `main` by default.
            commit_message: of the upload.

        Returns:
            the address of the commit.

        Raises:
            huggingface_hub.errors.HfHubHTTPError: if the hub refuses.
        """
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            commit = api.upload_folder(
                repo_id=repo_id, folder_path=folder, revision=revision, commit_message=commit_message
            )
        return str(commit.commit_url)

    def fingerprint(self) -> str:
        """Name of this network by its content; see `checkpoint.fingerprint`. Folding does not change it."""
        arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in self.state_dict().items()}
        return checkpoint.fingerprint(arrays, self.config)

    def num_parameters(self, only_trainable: bool = False) -> int:
        """How many numbers the parameters hold; codebooks are buffers and do not count."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad or not only_trainable)


_WITHOUT_EFFECT = {"low_cpu_mem_usage": None, "trust_remote_code": None, "attn_implementation": None,
                   "output_loading_info": (False,)}  # fmt: skip


def _refuse_unknown(name: str, others: dict[str, Any]) -> None:
    """Make sure that arguments without effect are known ones.

    Raises:
        TypeError: naming one that is not.
    """
    for key, value in others.items():
        if key not in _WITHOUT_EFFECT or value not in (_WITHOUT_EFFECT[key] or (value,)):
            raise TypeError(f"{name}.from_pretrained() does not take {key}={value!r}")


def _stored_precision(tensors: dict[str, np.ndarray]) -> torch.dtype:
    """That of the first floating-point tensor."""
    for tensor in tensors.values():
        if tensor.dtype.kind == "f" and tensor.ndim > 1:
            return torch.from_numpy(tensor[:0]).dtype
    return torch.float32


def _precision(dtype: torch.dtype | str | None) -> torch.dtype:
    found = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype or torch.float32
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ConfigError(f"dtype must be a floating-point precision such as float32 or float16, got {dtype!r}")
    return found


def _unfolded(state: dict[str, torch.Tensor], config: EncodecConfig) -> dict[str, torch.Tensor]:
    """A model's tensors as they are saved: with weight norm, also where it was folded."""
    saved = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    for conv in checkpoint.weight_normed(config):
        weight = saved.pop(f"{conv}.weight", None)
        if weight is not None:
            gain, direction = (torch.from_numpy(part) for part in checkpoint.unfold_weight(weight.float().numpy()))
            # The gain stays in float32: a rounded one would not make the same weight.
            saved[f"{conv}.{checkpoint.GAIN}"], saved[f"{conv}.{checkpoint.DIRECTION}"] = (
                gain,
                direction.to(weight.dtype),
            )
    return saved
