"""`key=value` settings of a run: each is read as the kind of value that its field takes."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import ConfigError
from ..text import did_you_mean

Config = TypeVar("Config")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "null"}


def share_of(group: str, weights: Mapping[str, float]) -> float:
    """The share of crops from a group; the mean of all shares for one that has none of its own."""
    return weights[group] if group in weights else sum(weights.values()) / max(1, len(weights)) or 1.0


def apply_settings(
    config: Config, settings: Mapping[str, str], *, owners: Sequence[str], mappings: Sequence[str] = ()
) -> Config:
    """A copy of a dataclass with `key=value` settings applied.

    Args:
        config: the dataclass.
        settings: by key; `owner.key` reaches into a field that is a dataclass or has a value for each name.
        owners: fields that are dataclasses.
        mappings: fields with values by names, where any name will do.

    Raises:
        ConfigError: for a key that does not exist, or a value of the wrong kind.
    """
    # All at once: settings that go together need not come in an order.
    own: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {name: {} for name in (*owners, *mappings)}
    for key, text in settings.items():
        owner, dot, name = key.partition(".")
        if not dot and key in owners:
            raise ConfigError(f"{key} has settings of its own: write {key}.{_names(getattr(config, key))[0]}=VALUE")
        if not dot:
            own[key] = _value(config, key, key, text)
        elif owner in owners:
            parts[owner][name] = _value(getattr(config, owner), key, name, text)
        elif owner in mappings and name:
            parts[owner][name] = _entry(config, key, owner, text)
        else:
            raise _unknown(key, config, owners, mappings)
    for owner in owners:
        if parts[owner]:
            own[owner] = dataclasses.replace(getattr(config, owner), **parts[owner])
    for owner in mappings:
        if parts[owner]:
            old = own.get(owner, getattr(config, owner))
            own[owner] = {**(old if isinstance(old, Mapping) else {}), **parts[owner]}
    return dataclasses.replace(config, **own)  # type: ignore[type-var]


def _value(target: Any, key: str, name: str, text: str) -> Any:
    hint = get_type_hints(type(target)).get(name) if name in _names(target) else None
    if hint is None:
        prefix = key[: len(key) - len(name)]
        known = [prefix + field for field in _names(target)]
        raise ConfigError(f"there is no setting {key!r}{did_you_mean(key, known)}")
    return _read(key, text, hint)


def _entry(config: Any, key: str, owner: str, text: str) -> Any:
    """A value of a field that has one for each name."""
    hints = [hint for hint in _kinds(get_type_hints(type(config))[owner]) if get_origin(hint) is not None]
    return _read(key, text, get_args(hints[0])[1])


def _unknown(key: str, config: Any, owners: Sequence[str], mappings: Sequence[str]) -> ConfigError:
    known = [f"{owner}.{name}" for owner in owners for name in _names(getattr(config, owner))]
    known += [f"{mapping}.{key.partition('.')[2]}" for mapping in mappings]
    return ConfigError(f"there is no setting {key!r}{did_you_mean(key, known)}")


def _names(target: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(target)]


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the one kind."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _read(key: str, text: str, hint: Any) -> Any:
    """A setting's text, read as JSON where the kind is not text."""
    kinds = _kinds(hint)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if str in kinds and not isinstance(value, Mapping) and not (value is None and type(None) in kinds):
        return text  # a folder may be called 2024
    for kind in kinds:
        found = _fitted(value, kind)
        if found is not _UNFIT:
            return found
    wanted = " or ".join(_word(kind) for kind in kinds if kind is not type(None))
    raise ConfigError(f"{key} must be {wanted}, got {text!r}")


_UNFIT = object()


def _fitted(value: Any, kind: Any) -> Any:
    """The value as that kind of one, or `_UNFIT`."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is float and type(value) in (int, float):
        return float(value)
    if origin is tuple and isinstance(value, list):
        kinds = inner[:1] * len(value) if inner[-1:] == (...,) else inner
        if len(kinds) != len(value):
            return _UNFIT
        items = tuple(_fitted(item, part) for item, part in zip(value, kinds, strict=True))
        return _UNFIT if any(item is _UNFIT for item in items) else items
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        values = {name: _fitted(item, inner[1]) for name, item in value.items()}
        return _UNFIT if any(item is _UNFIT for item in values.values()) else values
    return value if type(value) is origin else _UNFIT


def _word(kind: Any) -> str:
    """What a kind of value is called in a message."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin is tuple:
        return (
            "a list such as [1, 2]"
            if inner[-1:] == (...,)
            else f"{len(inner)} values such as [{'1, ' * (len(inner) - 1)}1]"
        )
    return _WORDS.get(origin, 'a value for each name, such as {"speech": ...}')
