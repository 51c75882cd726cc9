"""Settings: what an operator may say, and how a mistake is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from server.settings import Settings, SettingsError, load


def refused(environ: dict[str, str], dotenv: Path | None = None) -> str:
    """The message that stops the start."""
    with pytest.raises(SettingsError) as caught:
        load(environ, dotenv)
    return str(caught.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    """Without any variable the server listens on loopback and keeps everything local."""
    settings = load({"PATH": "/bin", "NODE_ENV": "production"})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.ice_servers) == ("127.0.0.1", 8000, ())
    assert settings.data_dir == Path("data")


def test_values_are_read_by_type() -> None:
    """Numbers, lists, JSON and paths arrive as such; letter case of words does not matter."""
    settings = load(
        {
            "VEDETTE_PORT": "0",
            "VEDETTE_ALLOWED_HOSTS": "camera.lan, 10.0.0.7,",
            "VEDETTE_ICE_HOST": "10.0.0.7,fd00::1",
            "VEDETTE_ICE_SERVERS": '[{"urls": "stun:a"}, {"urls": ["turn:b"], "username": "u", "credential": "p"}]',
            "VEDETTE_LOG_LEVEL": "DEBUG",
            "VEDETTE_DATA_DIR": "/srv/vedette",
            "FORCE_CPU": "1",
            "DATABASE_URL": "postgresql://u:secret@db/vedette",
        }
    )
    assert settings.port == 0
    assert settings.allowed_hosts == ("camera.lan", "10.0.0.7")
    assert settings.ice_host == ("10.0.0.7", "fd00::1")
    assert [server.urls for server in settings.ice_servers] == [("stun:a",), ("turn:b",)]
    assert settings.log_level == "debug"
    assert settings.force_cpu
    assert "secret" not in repr(settings)
    assert "'p'" not in repr(settings)


def test_settings_cannot_be_changed() -> None:
    """What was read at the start stays."""
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_an_empty_value_is_as_good_as_none() -> None:
    """A variable that a compose file passes on empty does not stop the start."""
    assert load({"VEDETTE_MODELS": "", "VEDETTE_PORT": "", "DATABASE_URL": ""}) == Settings()


def test_an_unknown_name_is_refused_with_the_nearest_known_ones() -> None:
    """A misspelt variable is not silently without effect."""
    assert refused({"VEDETTE_PROT": "1"}).startswith("VEDETTE_PROT: no such setting, did you mean VEDETTE_PORT")
    assert "did you mean VEDETTE_DATA_DIR" in refused({"vedette_datadir": "x"})
    assert "have: VEDETTE_HOST, VEDETTE_PORT" in refused({"VEDETTE_QQQQ": "x"})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("VEDETTE_PORT", "70000", "less than or equal to 65535"),
        ("VEDETTE_PROFILE", "quick", "'fast', 'accurate', 'cpu-only' or 'auto'"),
        ("VEDETTE_LOG", "xml", "'console' or 'json'"),
        ("VEDETTE_MODELS", "/no/such.toml", "no such file"),
        ("VEDETTE_ICE_HOST", "10.0.0.7,camera", "'camera' does not appear to be an IPv4 or IPv6 address"),
        ("VEDETTE_SESSION_LINGER_S", "-1", "greater than or equal to 0"),
        ("VEDETTE_PENDING_PEER_TIMEOUT_S", "0", "greater than 0"),
        ("VEDETTE_DETECTOR_MAX_RATE_HZ", "inf", "finite"),
        ("FORCE_CPU", "perhaps", "boolean"),
    ],
)
def test_a_wrong_value_is_refused_by_name_value_and_choices(name: str, value: str, allowed: str) -> None:
    """The message says which variable, what it held and what it may hold."""
    message = refused({name: value})
    assert message.startswith(f"{name}={value!r}: ")
    assert allowed in message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("stun:a", "expected a list"),
        ('{"urls": "stun:a"}', "expected a list"),
        ('[{"urls": "http://a", "credential": "hunter2"}]', "have: stun, stuns, turn, turns"),
        ('[{"url": "stun:a", "credential": "hunter2"}]', "at 0.urls"),
        ('[{"urls": [], "credential": "hunter2"}]', "at 0.urls"),
        ('[{"urls": "stun://a", "credential": "hunter2"}]', "not like stun:HOST:PORT"),
        ('[{"urls": "turn:a", "credential": "hunter2"}]', "needs username and credential"),
    ],
)
def test_wrong_ice_servers_are_refused_without_repeating_credentials(value: str, expected: str) -> None:
    """Credentials in the list do not reach the terminal."""
    message = refused({"VEDETTE_ICE_SERVERS": value})
    assert expected in message
    assert "hunter2" not in message


def test_a_foreign_database_is_refused_without_repeating_its_password() -> None:
    """Only Postgres is taken, and the message names what is."""
    message = refused({"DATABASE_URL": "mysql://u:hunter2@h/x"})
    assert "'mysql', have: postgres, postgresql" in message
    assert "hunter2" not in message


def test_every_mistake_is_told_at_once() -> None:
    """One start shows all that is wrong."""
    lines = refused({"VEDETTE_PORT": "x", "VEDETTE_LOG": "y", "VEDETTE_PROT": "z"}).splitlines()
    assert [line.partition(":")[0].partition("=")[0] for line in lines] == [
        "VEDETTE_PROT",
        "VEDETTE_PORT",
        "VEDETTE_LOG",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "camera.lan"])
def test_listening_beyond_loopback_needs_tls_unless_plain_http_is_meant(host: str, tmp_path: Path) -> None:
    """Tokens and pictures would cross the network for everybody to read; a token is needed either way."""
    message = refused({"VEDETTE_HOST": host})
    assert message.startswith(f"VEDETTE_HOST={host!r}: listening beyond this machine needs TLS")
    assert "VEDETTE_INSECURE_BIND=1" in message
    (tmp_path / "pem").touch()
    tls = {"VEDETTE_TLS_CERT": str(tmp_path / "pem"), "VEDETTE_TLS_KEY": str(tmp_path / "pem")}
    for meant in ({"VEDETTE_INSECURE_BIND": "1"}, tls):
        settings = load({"VEDETTE_HOST": host, **meant})
        assert (settings.host, settings.needs_token, settings.tls) == (host, True, meant == tls)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_token_unless_it_is_wanted(host: str) -> None:
    """Every name of this machine to itself will do."""
    settings = load({"VEDETTE_HOST": host})
    assert settings.loopback
    assert not settings.needs_token
    assert load({"VEDETTE_HOST": host, "VEDETTE_AUTH": "Always"}).needs_token


def test_a_certificate_comes_with_its_key(tmp_path: Path) -> None:
    """One without the other, and a file that is not there, stop the start."""
    file = tmp_path / "pem"
    file.touch()
    for has, lacks in (("CERT", "KEY"), ("KEY", "CERT")):
        message = refused({f"VEDETTE_TLS_{has}": str(file)})
        assert message == f"VEDETTE_TLS_{lacks}: is missing; VEDETTE_TLS_{has} is of no use without it"
    assert "no such file" in refused({"VEDETTE_TLS_CERT": "/none", "VEDETTE_TLS_KEY": str(file)})
    assert "'auto' or 'always'" in refused({"VEDETTE_AUTH": "never"})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """`.env` holds defaults of this installation."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("VEDETTE_PORT=9000\nVEDETTE_LOG=json\nOTHER_TOOL=1\n")
    settings = load({"VEDETTE_PORT": "9001"}, dotenv)
    assert (settings.port, settings.log) == (9001, "json")


def test_the_file_is_checked_like_the_environment(tmp_path: Path) -> None:
    """A misspelt name in `.env` stops the start, and so does a file that is not text; a missing one does not."""
    dotenv = tmp_path / ".env"
    assert load({}, dotenv) == Settings()
    dotenv.write_text("VEDETTE_HOTS=1\n")
    assert "did you mean VEDETTE_HOST" in refused({}, dotenv)
    dotenv.write_bytes(b"VEDETTE_LOG=\xff\xfe\n")
    assert f"{dotenv}: cannot be read" in refused({}, dotenv)
