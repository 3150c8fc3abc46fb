"""Coverage-guided fuzzing of the request parser, by atheris: `python fuzz_request.py -max_total_time=60`.

Whatever the bytes, a request is accepted or refused with an error of ours; anything else ends the process.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris
from fuzz_values import an_object, as_json

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

with atheris.instrument_imports(include=["quantlab"]):
    from quantlab.base.errors import ConfigError
    from quantlab.cli.launching import CONFIG_NAMES, read_values
    from quantlab.cli.request import parse_request
    from quantlab.domain.config import config_hash

SEEDS = (
    b'{"schema_version":"1.0","request_id":"r1","command":"run","params":{"ticker":"ETH-USD","paper":true}}',
    b'{"schema_version":"1.0","command":"run","params":{"start":"2022-01-01","end":"2023-12-31","fee":0.002}}',
    b'{"schema_version":"1.0","command":"run","params":{"prices":"synthetic","cooldown_days":-1,"k_atr":1e999}}',
)


def one_request(data: bytes) -> None:
    """Read one request as `quantlab request` does."""
    text = _shaped(data[1:]) if data[:1] < b"\x80" else data
    try:
        asked = parse_request(text.decode("utf-8", "surrogateescape"))
        config, _settings = read_values({**asked["params"], "request_id": asked["request_id"]})
    except ConfigError as error:
        if not str(error):
            raise AssertionError("a refusal says why") from error
        return
    if len(config_hash(config)) != 64:
        raise AssertionError("an accepted configuration has its hash")


def _shaped(data: bytes) -> bytes:
    """Return a request that is whole up to its params."""
    params = an_object(
        atheris.FuzzedDataProvider(data), sorted([*CONFIG_NAMES, "pace", "outdir", "ledger", "tickr"]), 1
    )
    return as_json({"schema_version": "1.0", "command": "run", "params": params})


def main() -> None:
    """Fuzz with what atheris is told on the command line."""
    corpus = Path(sys.argv[-1])
    if corpus.is_dir():
        for place, seed in enumerate(SEEDS):
            (corpus / f"seed{place}").write_bytes(seed)
    atheris.Setup(sys.argv, one_request)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
