"""What a session or run was begun like, and in what it is another; pure, and worded in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quantlab.domain.config import BUILT_IN_PARAMETERS, ELSEWHERE, RunConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quantlab.base.values import JsonObject

_OF_NOBODY = ("paper", "strategy_params", *BUILT_IN_PARAMETERS)
"""Fields that no comparison shows: a research run is none of a paper session, and parameters are told one by one."""
_SHOWN_OF_DIGEST = 12


def changes(earlier: RunConfig, config: RunConfig) -> JsonObject:
    """Return the settings that are others than in an earlier configuration, each with its value there.

    A parameter of the strategy goes by its own name, or by `strategy_params.NAME` where a setting has that name; one
    that the earlier strategy did not have was None.
    """
    then, now = _settings(earlier), _settings(config)
    return {name: then.get(name) for name in dict.fromkeys((*now, *then)) if then.get(name) != now.get(name)}


def told(like: Mapping[str, object], changed: Mapping[str, object] | None) -> str:
    """Return the lineage as a sentence without its full stop.

    Args:
        like: The earlier session or run: `id`, `result_digest`.
        changed: What `changes` returned; None where it was not recorded.
    """
    digest = like.get("result_digest")
    result = f"whose result was {str(digest)[:_SHOWN_OF_DIGEST]}…" if digest else "which came to no result"
    return f"begun like {like.get('id')}, {result}{'' if changed is None else _difference(changed)}"


def _settings(config: RunConfig) -> JsonObject:
    values = msgspec.structs.asdict(config)
    params = {
        f"strategy_params.{name}" if name in values and name not in BUILT_IN_PARAMETERS else name: value
        for name, value in config.rule_parameters().items()
    }
    return {name: value for name, value in values.items() if name not in _OF_NOBODY} | params


def _difference(changed: Mapping[str, object]) -> str:
    rules = "the same rules" if set(changed) <= set(ELSEWHERE) else "other rules"
    if not changed:
        return f"; {rules}, and nothing else is another"
    shown = ", ".join(f"{name} (there {_plain(value)})" for name, value in changed.items())
    return f"; {rules}; another {shown}"


def _plain(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
