"""Where a ledger is, and what of a URL may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantlab.base.errors import ConfigError
from quantlab.base.secrets import is_url, redacted, spans_in_word, without_secrets
from quantlab.ledger.location import Location, locate, sqlite_uri

SERVER = "postgresql+psycopg://ann:s3cret@host:5432/quantlab"


def test_a_root_s_ledger_lies_in_it() -> None:
    assert locate(Path("root"), None) == Location(root=Path("root"), file=Path("root/ledger.db"))


def test_a_url_names_another_ledger_than_the_root_s() -> None:
    assert locate(Path("root"), "sqlite:////data/shared.db").file == Path("/data/shared.db")


def test_a_sqlite_url_of_three_slashes_is_relative() -> None:
    assert locate(None, "sqlite:///data/led%20ger.db").file == Path("data/led ger.db")


@pytest.mark.parametrize("url", [SERVER, SERVER.replace("+psycopg", "")])
def test_a_server_s_url_gets_its_driver(url: str) -> None:
    location = locate(None, url)
    assert (location.url, location.is_sqlite) == (SERVER, False)


def test_a_file_s_location_is_sqlite() -> None:
    assert locate(Path("root"), None).is_sqlite


def test_a_url_without_a_user_holds_nothing_secret() -> None:
    assert spans_in_word("postgresql://host/db") == []


def test_options_of_a_file_s_url_are_refused() -> None:
    with pytest.raises(ConfigError, match="a SQLite ledger takes none"):
        locate(None, "sqlite:///ledger.db?mode=ro")


@pytest.mark.parametrize("url", ["mysql://host/db", "ledger.db", "sqlite://", "sqlite:///", "http://x"])
def test_a_url_of_no_known_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected sqlite:///FILE"):
        locate(None, url)


def test_no_ledger_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="No ledger was named"):
        locate(None, None)


@pytest.mark.parametrize(
    "url",
    [
        SERVER,
        "postgresql://ann:s3cret@host/db",
        "postgresql://:s3cret@host/db",
        "postgresql://ann:s3cret@/db?host=/tmp",
        "postgresql://ann:se:s3cret@host/db",
        "postgresql://ann:pa/s3cret@host/db",
        "postgresql://host/db?user=ann&password=s3cret",
        "postgresql://host/db?PASSWORD=s3cret&sslmode=require",
        "mysql://ann:s3cret@host/db",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    assert "s3cret" not in redacted(url)


def test_what_is_no_secret_is_shown() -> None:
    assert redacted(SERVER) == "postgresql+psycopg://ann:***@host:5432/quantlab"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ann@[::1]:5432/quantlab?sslmode=verify-full&host=/tmp",
        "postgresql+psycopg://ann@host/db?options=-csearch_path%3Dmine",
        "sqlite:////data/shared%20ones/ledger.db",
        "outputs/ledger.db",
    ],
)
def test_a_url_without_a_secret_is_shown_whole(url: str) -> None:
    assert redacted(url) == url


def test_a_message_keeps_its_other_words() -> None:
    message = f"The ledger {SERVER} can't be reached; see HINT: a=b, x@y and https://host/path?q=1."
    assert without_secrets(message) == message.replace("s3cret", "***")


@pytest.mark.parametrize(
    "url", ["https://ann:s3cret@proxy:8080/", "socks5:/ann:s3cret@proxy", "x://:s3cret@host"]
)
def test_a_message_shows_no_password_of_a_url_of_another_kind(url: str) -> None:
    shown_message = without_secrets(f"The proxy {url} refused.")
    assert "s3cret" not in shown_message
    assert shown_message == f"The proxy {url.replace('s3cret', '***')} refused."


def test_a_location_shows_no_password() -> None:
    location = locate(None, SERVER)
    assert "s3cret" not in f"{location} {location!r}"


def test_a_refused_url_s_password_is_not_in_the_message() -> None:
    with pytest.raises(ConfigError) as refusal:
        locate(None, "mysql://ann:s3cret@host/db")
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (SERVER, True),
        ("postgresql:/me@host", True),
        ("host=h password=x", True),
        ("outputs/paper_sessions", False),
        ("C:\\runs@home", False),
        ("20:15/root", False),
    ],
)
def test_a_url_is_told_from_a_path(text: str, answer: bool) -> None:
    assert is_url(text) is answer


def test_a_path_with_odd_characters_survives_in_sqlite_s_uri(tmp_path: Path) -> None:
    assert sqlite_uri(tmp_path / "a?b#c%.db", "ro").endswith("a%3Fb%23c%25.db?mode=ro")
