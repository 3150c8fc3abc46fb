from __future__ import annotations

import re
from pathlib import Path

import yaml

from quantlab.base.secrets import redacted
from quantlab.ledger.location import locate
from quantlab.ledger.postgres import connections

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_the_compose_file_holds_no_password() -> None:
    text = (DOCS.parent / "compose.yaml").read_text(encoding="utf-8")
    assert re.findall(r"PASSWORD: (\S+)", text) == ["${QUANTLAB_POSTGRES_PASSWORD:?set"] * 2


def test_the_compose_file_listens_on_loopback_unless_told_otherwise() -> None:
    text = (DOCS.parent / "compose.yaml").read_text(encoding="utf-8")
    assert '"${QUANTLAB_POSTGRES_ADDRESS:-127.0.0.1}:5432:5432"' in text


def test_the_compose_file_is_yaml_of_a_server_and_the_program() -> None:
    document = yaml.safe_load((DOCS.parent / "compose.yaml").read_text(encoding="utf-8"))
    services = document["services"]
    assert list(services) == ["ledger", "quantlab"]
    assert services["ledger"]["volumes"] == ["ledger:/var/lib/postgresql/data"]
    assert services["quantlab"]["volumes"] == ["data:/data"]
    assert set(document["volumes"]) == {"ledger", "data"}
    url = connections.parsed(locate(None, services["quantlab"]["environment"]["QUANTLAB_LEDGER"]))
    assert (url.host, url.username, url.database, url.password) == ("ledger", "quantlab", "quantlab", None)


def test_every_url_of_the_page_can_be_read() -> None:
    text = (DOCS / "many-machines.md").read_text(encoding="utf-8")
    urls = re.findall(r"postgresql\+psycopg://[^\s`]+", text)
    assert urls
    assert [connections.parsed(locate(None, url)).username for url in urls] == ["quantlab"] * len(urls)


def test_the_page_states_the_timeouts_that_the_program_sets() -> None:
    text = (DOCS / "many-machines.md").read_text(encoding="utf-8")
    assert f"less than {connections.PATIENCE_SECONDS:.0f} s" in text
    assert connections.SETTINGS["idle_in_transaction_session_timeout"] == "20s"


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    assert redacted("postgresql://u:a@b:c@host/db") == "postgresql://u:***@host/db"


def test_a_password_after_a_user_name_with_an_at_sign_is_hidden() -> None:
    assert redacted("postgresql://u@corp:s3cret@host/db") == "postgresql://u@corp:***@host/db"
