"""What looks like a credential does not travel; what only sounds like one does. Every key here is made up."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kube_magics.cells.capture import capture_call
from kube_magics.cells.checks.credentials import refuse
from kube_magics.cells.checks.exposure import BUDGET, in_modules, in_value
from kube_magics.cells.files.cargo import Carried
from kube_magics.errors import CaptureError, OptionError
from kube_magics.spec.credentials import check_arguments, check_environment, kind, named, suspicion
from tests.cells.book import Book, travelling

B = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6kL9nO2qR5tU8wX1z"
HEX = "0123456789abcdef" * 8
FORMS = {
    "AKIA" + "ABCDEFGH12345678": "an AWS access key",
    "ASIA" + "ABCDEFGH12345678": "an AWS access key",
    "ghp" + "_" + B[:36]: "a GitHub token",
    "gho" + "_" + B[:36]: "a GitHub token",
    "github" + "_pat_" + B[:22] + "_" + B: "a GitHub token",
    "glpat" + "-" + B[:20]: "a GitLab token",
    "sk" + "-ant-" + B: "an Anthropic API key",
    "sk" + "-" + B[:48]: "an API key",
    "sk" + "-proj-" + B[:20] + "-" + B[:20]: "an API key",
    "hf" + "_" + B[:34]: "a Hugging Face token",
    "xoxb" + "-123456789012-" + B[:24]: "a Slack token",
    "xoxp" + "-123456789012-" + B[:24]: "a Slack token",
    "AIza" + B[:35]: "a Google API key",
    "ya29" + "." + B: "a Google token",
    "npm" + "_" + B[:36]: "an npm token",
    "pypi" + "-" + B + B: "a PyPI token",
    "dop" + "_v1_" + HEX[:64]: "a DigitalOcean token",
    "SG" + "." + B[:22] + "." + B[:43]: "a SendGrid key",
    "eyJ" + B[:20] + ".eyJ" + B[:20] + "." + B[:30]: "a JSON web token",
    "shpat" + "_" + HEX[:32]: "a Shopify token",
    "sk" + "_live_" + B[:24]: "a Stripe key",
    "rk" + "_live_" + B[:24]: "a Stripe key",
    "-----BEGIN " + "PRIVATE KEY-----\nMIIE": "a private key",
    "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE": "a private key",
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----\n": "a private key",
    "postgres://user:" + "tr0ub4dor" + "@db.example.org/x": "a URL with a password",
    "https://:" + "tr0ub4dor" + "@example.org": "a URL with a password",
    "https://example.org/a?api_key=" + B[:20]: "a URL with a credential",
    "Bearer " + "ghp" + "_" + B[:36]: "a GitHub token",
}
NO_FORMS = [
    "sk-learn-pipeline-for-text-classification",
    "hf_transformers_model_of_mine",
    "pypi-mirror-of-the-department-in-the-cellar",
    "AKIA is the beginning of an AWS key",
    "https://example.org:8080/path@2x.png",
    "https://user@example.org",
    "https://user:$PASSWORD@example.org",
    "postgres://user:{password}@db",
    "-----BEGIN CERTIFICATE-----\nMIIE",
    "-----BEGIN PUBLIC KEY-----",
    "https://example.org/?token_type=bearer-of-news",
    "eyJust a name.with.dots",
    hashlib.sha256(b"").hexdigest(),
    "sha256:" + HEX[:64],
    "",
]
NAMES = {
    "token": "my_token HF_TOKEN authToken access_token accessToken hftoken token TOKEN2 _token x-auth-token",
    "secret": "secret SECRET_KEY clientSecret client_secret aws_secret_access_key mysecret secrets",
    "password": "password DB_PASSWORD userPassword passwd db_passwd passphrase passw rootpassword passwords",
    "API key": "api_key API_KEY apiKey apikey OPENAI_API_KEY x-api-key APIKey api_keys",
    "": "tokenizer tokens n_tokens max_tokens secretary token_ids token_counts tokenize TOKENIZERS_PARALLELISM pad_token"
    " eos_token mask_token next_token token_url password_file secret_name api_key_env token_type num_tokens_seen"
    " tokenizer_name password_hash token_embeddings secretion api key keyboard passing compass broken_key token_to_id"
    " token_pattern token-classification token_match special_token stop_token password_length apiary surpass",
}
HARMLESS = [
    ("token", "a piece of language"),
    ("token", "<|endoftext|>"),
    ("token", "[UNUSED1]"),
    ("password", "short"),
    ("password", "*" * 12),
    ("password", "/run/secrets/db"),
    ("secret", "secrets/db.json"),
    ("api_key", "OPENAI_API_KEY"),
    ("api_key", "${OPENAI_API_KEY}"),
    ("api_key", "<your key here>"),
    ("api_key", "your-api-key"),
    ("token", "https://example.org/token"),
    ("token", "https://example.org/oauth2/token?grant_type=client"),
    ("token", hashlib.md5(b"").hexdigest()),
    ("secret", hashlib.sha1(b"").hexdigest()),
    ("secret", hashlib.sha512(b"").hexdigest()),
    ("secret", "sha256:" + HEX[:64]),
    ("token", str(uuid.UUID(int=7))),
    ("tokenizer", "bert-base-uncased"),
    ("tokenizer_name", "bert-base-uncased"),
]
NAMED = [
    ("token", B[:20], "a token by its name"),
    ("my_token", "abcdefgh", "a token by its name"),
    ("password", "correct horse battery", "a password by its name"),
    ("passwd", "hunter2hunter2", "a password by its name"),
    ("apiKey", "A1b2C3d4", "an API key by its name"),
    ("WANDB_API_KEY", HEX[:40], "an API key by its name"),
    ("client_secret", "my_secret_value", "a secret by its name"),
    ("secret", HEX[:48], "a secret by its name"),
]


@pytest.mark.parametrize(("text", "expected"), FORMS.items(), ids=FORMS.values())
def test_forms(text: str, expected: str) -> None:
    assert kind(text) == expected
    assert kind(f"x = '{text}'") == expected


@pytest.mark.parametrize("text", NO_FORMS)
def test_what_only_resembles_a_form(text: str) -> None:
    assert kind(text) is None


@pytest.mark.parametrize("expected", NAMES)
def test_names(expected: str) -> None:
    assert {name: named(name) for name in NAMES[expected].split()} == dict.fromkeys(NAMES[expected].split(), expected)


@pytest.mark.parametrize(("name", "text", "expected"), NAMED)
def test_named_strings(name: str, text: str, expected: str) -> None:
    assert suspicion(name, text) == expected


@pytest.mark.parametrize(("name", "text"), HARMLESS)
def test_what_is_harmless_whatever_its_name(name: str, text: str) -> None:
    assert suspicion(name, text) is None


KEY = "hf" + "_" + B[:34]
WORD = "tr0ub4dor" + "&3"
VALUES: dict[str, tuple[str, str]] = {
    "a string": (f"my_token = {WORD!r}", r"my_token looks like a token by its name"),
    "under any name": (f"x = {KEY!r}", r"x looks like a Hugging Face token"),
    "in a dict": (f"x = {{'db': {{'password': {WORD!r}}}}}", r'x\["db"\]\["password"\] looks like a password'),
    "in a list": (f"x = [1, {KEY!r}]", r"x\[1\] looks like"),
    "in a list under a name": (f"api_keys = ['short', {WORD!r}]", r"api_keys\[1\] looks like an API key by its name"),
    "in a dict under a name": (f"passwords = {{'ann': {WORD!r}}}", r'passwords\["ann"\] looks like a password'),
    "bytes": (f"x = {('-----BEGIN ' + 'PRIVATE KEY-----').encode()!r}", r"x looks like a private key"),
    "a dataclass": (
        f"import dataclasses\n@dataclasses.dataclass\nclass C:\n    token: str\nx = C({WORD!r})",
        r"x\.token looks like a token",
    ),
    "slots": (f"class C:\n    __slots__ = ('secret',)\nx = C()\nx.secret = {WORD!r}", r"x\.secret looks like a secret"),
    "a named tuple": (
        f"import typing\nclass C(typing.NamedTuple):\n    user: str\n    password: str\nx = C('u', {WORD!r})",
        r"x\.password looks like a password",
    ),
    "a partial": (
        f"import functools\nx = functools.partial(print, api_key={WORD!r})",
        r"x\.keywords\['api_key'\] looks like an API key",
    ),
    "a key": (f"x = {{{KEY!r}: 1}}", r"x\.keys\(\)\[0\] looks like a Hugging Face token"),
    "below a key": (f"x = {{{KEY!r}: {{'password': {WORD!r}}}}}", r"looks like a"),
    "in a function": (
        f"def f():\n    return login(token={WORD!r})\ndef login(token): pass\nx = f",
        r"f \(In \[1\], line 2\)",
    ),
    "as a default": (f"def f(a, password={WORD!r}): pass\nx = f", r"f \(In \[1\], line 1\) looks like a password"),
    "in a class": (f"class C:\n    api_key = {WORD!r}\nx = C", r"C \(In \[1\], line 2\) looks like an API key"),
    "set on a class since": ("class C:\n    token = ''\nx = C", r"C\.token looks like a token"),
    "in a comment": (
        f"def f():\n    # once {KEY}\n    return 1\nx = f",
        r"f \(In \[1\], line 2\) looks like a Hugging",
    ),
}


@pytest.mark.parametrize(("before", "message"), VALUES.values(), ids=VALUES)
def test_captured_values_are_refused_by_their_place(before: str, message: str) -> None:
    book = Book(before)
    if before.startswith("class C:\n    token = ''"):
        book.run(f"C.token = {WORD!r}")
    used = "my_token" if "my_token" in before else "api_keys" if "api_keys" in before else "x"
    used = "passwords" if "passwords" in before else used
    with pytest.raises(CaptureError, match=message.replace(" looks", r"(: \w+)? looks")) as caught:
        book.capture(used)
    assert KEY not in str(caught.value)
    assert WORD not in str(caught.value)
    assert "--secret NAME:KEY=" in (caught.value.hint or "")
    assert "--capture " in (caught.value.hint or "")


LITERALS = {
    f"api_key = {WORD!r}": "Line 2 looks like an API key",
    f"a = 1\nlogin(token={WORD!r})": "Line 3 looks like a token",
    f"import os\nos.environ['HF_TOKEN'] = {WORD!r}": "Line 3 looks like a token",
    f"import os\nos.environ.setdefault('HF_TOKEN', {WORD!r})": "Line 3 looks like a token",
    f"cfg = dict(db=dict(password={WORD!r}))": "Line 2 looks like a password",
    f"cfg = {{\n  'user': 'u',\n  'password': {WORD!r},\n}}": "Line 4 looks like a password",
    f"class C:\n    client_secret: str = {WORD!r}": "Line 3 looks like a secret",
    f"def f(*, token={WORD!r}): pass\nf()": "Line 2 looks like a token",
    f"print({KEY!r})": "Line 2 looks like a Hugging Face token",
    f"print(f'Bearer {KEY} {{1}}')": "Line 2 looks like a Hugging Face token",
    f"token = f'{WORD}{{1}}'": "Line 2 looks like a token",
    f"x = {KEY[:10]!r} + {KEY[10:]!r}": "Line 2 looks like a Hugging Face token",
    f"x = {KEY[:10]!r} {KEY[10:]!r}": "Line 2 looks like a Hugging Face token",
    f"x = 1  # {KEY}": "Line 2 looks like a Hugging Face token",
    f"if (token := {WORD!r}): pass": "Line 2 looks like a token",
    f"%env HF_TOKEN={WORD}": "Line 2 looks like a token",
    f"%env HF_TOKEN {WORD}": "Line 2 looks like a token",
    f"!export API_KEY={WORD}; true": "Line 2 looks like an API key",
    f"!curl -H 'Authorization: Bearer {KEY}' http://localhost": "Line 2 looks like a Hugging Face token",
    f"class A: pass\na = A()\na.password = {WORD!r}": "Line 4 looks like a password",
    f"user, password = 'somebody', {WORD!r}": "Line 2 looks like a password",
}


@pytest.mark.parametrize(("cell", "message"), LITERALS.items(), ids=LITERALS.values())
def test_literals_of_the_cell_are_refused_by_their_line(cell: str, message: str) -> None:
    with pytest.raises(CaptureError, match=message.replace(" looks", r"(: \w+)? looks")) as caught:
        Book("def login(token): pass").capture(cell)
    assert KEY not in str(caught.value)
    assert WORD not in str(caught.value)


FINE = [
    "tokenizer = 'bert-base-uncased'",
    "token_counts = {'hello': 3, 'something': 12345678}",
    "tokens = ['something', 'else entirely']",
    "eos_token = '<|endoftext|>'",
    "import os\napi_key = os.environ.get('OPENAI_API_KEY', '')",
    "password = passwd = None",
    "checksum = '" + HEX[:64] + "'",
    "def f(token=None, password=''): pass\nf(token=3)",
    "token_url = 'https://example.org/oauth2/token'",
    "secret_file = '/run/secrets/db'",
    "print('password: must have eight characters')",
    "'Tokens and secrets of the trade, by an api_key enthusiast.'",
]


@pytest.mark.parametrize("cell", FINE)
def test_cells_without_a_credential(cell: str) -> None:
    Book().capture(cell)
    book = Book(cell)
    for name in [name for name in book.namespace if not name.startswith("_")]:
        book.capture(name)


def test_capture_lets_one_name_travel() -> None:
    book = Book(f"my_token = {WORD!r}\nother_token = {WORD!r}\ndef f(): return dict(api_key={WORD!r})")
    assert travelling(book.capture_allowed("my_token", "my_token")) == ["my_token"]
    with pytest.raises(CaptureError, match="other_token"):
        book.capture_allowed("my_token, other_token", "my_token")
    book.capture_allowed(f"password = {WORD!r}", "password")
    book.capture_allowed("f()", "f")
    book.capture_allowed("f()", "api_key")


def test_arguments_of_a_call() -> None:
    book = Book("def f(*args, **kwargs): return 1")
    f, notebook = book.namespace["f"], book.notebook()
    for args, kwargs, place in [
        (({"password": WORD},), {}, r'args\[0\]\["password"\]'),
        ((), {"token": WORD}, r'kwargs\["token"\]'),
        (([KEY],), {}, r"args\[0\]\[0\]"),
    ]:
        with pytest.raises(CaptureError, match=place):
            capture_call(f, args, kwargs, notebook)
    capture_call(f, (), {"token": WORD}, notebook, allowed=("token",))


def test_the_environment() -> None:
    check_environment([("NCCL_DEBUG", "INFO"), ("TOKENIZERS_PARALLELISM", "false"), ("TOKEN_FILE", "/a/b/c/d")], ())
    check_environment([("HF_TOKEN", WORD)], ("HF_TOKEN",))
    for name, value in [("HF_TOKEN", WORD), ("PLAIN", KEY), ("URL", f"https://u:{WORD}@example.org")]:
        with pytest.raises(OptionError, match=f"--env {name} looks like") as caught:
            check_environment([("A", "1"), (name, value)], ())
        assert value not in str(caught.value)
        assert f"--secret NAME:KEY={name}" in str(caught.value)


def test_arguments_of_a_program() -> None:
    check_arguments(["--lr", "1e-3", "--tokenizer", "bert-base-uncased", "--token-file=/a/b/c/d", "train"], ())
    check_arguments(["--api-key", WORD], ("api_key",))
    for words in (["--token", WORD], [f"--api-key={WORD}"], [KEY], ["-v", KEY]):
        with pytest.raises(OptionError, match=r"rgument .*looks like") as caught:
            check_arguments(["x", *words], ())
        assert WORD not in str(caught.value)
        assert KEY not in str(caught.value)


MODULE = {
    f"API_KEY = {WORD!r}": r"conf\.py, line 2 looks like an API key",
    f"settings = {{'password': {WORD!r}}}": r"conf\.py, line 2 looks like a password",
    f"settings.update(client_secret={WORD!r})": r"conf\.py, line 2 looks like a secret",
    f"token: str = {WORD!r}": r"conf\.py, line 2 looks like a token",
    f"# {KEY}": r"conf\.py, line 2 looks like a Hugging Face token",
    "tokenizer = 'bert-base-uncased'  # has 30522 tokens, and no secret": None,
    "def login(token='', password=None): pass": None,
}


@pytest.mark.parametrize(("line", "message"), MODULE.items())
def test_local_modules(line: str, message: str | None) -> None:
    files = [
        Carried("pkg/conf.py", f"import os\n{line}\n".encode(), "/x/pkg/conf.py"),
        Carried("a.txt", line.encode(), ""),
    ]
    found = list(in_modules(files))
    assert len(found) == (message is not None)
    for finding in found:
        assert finding.names[-2:] == ("conf", "pkg")
        with pytest.raises(CaptureError, match=message):
            refuse(found, ())
        refuse(found, ["pkg"])


def test_large_values_cost_little() -> None:
    looked: list[int] = []

    class Part:
        def __init__(self, number: int) -> None:
            self.number = number

        def __getattribute__(self, name: str) -> Any:
            if name == "__dict__":
                looked.append(1)
            return super().__getattribute__(name)

    many = {str(number): [Part(number)] * 3 for number in range(20_000)}
    loop: list[Any] = [many]
    loop.append(loop)
    assert list(in_value("x", {"data": loop, "text": "word " * 4_000_000, "deep": [[many]] * 1000})) == []
    assert len(looked) < BUDGET
    hidden = {"filler": list(range(BUDGET)), "password": WORD}
    assert [finding.place for finding in in_value("x", hidden)] == ['x["password"]']


def test_a_part_that_cannot_be_looked_into_hides_nothing_else() -> None:
    class Broken:
        __slots__ = ("_x", "password")

        def __getattribute__(self, name: str) -> Any:
            if name in ("password", "__dict__"):
                raise RuntimeError(name)
            return super().__getattribute__(name)

    assert [finding.place for finding in in_value("x", [Broken(), {"password": WORD}])] == ['x[1]["password"]']


@dataclasses.dataclass
class Settings:
    value: object
    password: object = None


WRAPPERS: list[Callable[[str, str], object]] = [
    lambda name, text: {name: text},
    lambda name, text: {text: {name: text}},
    lambda name, text: [text, (text,)],
    lambda name, text: SimpleNamespace(a={name: [text]}),
    lambda name, text: argparse.Namespace(password=text),
    lambda name, text: Settings({text}, text),
    lambda name, text: functools.partial(print, text, token=text),
    lambda name, text: text.encode(),
]
SECRETS = st.one_of(
    st.sampled_from([text for text in FORMS if "\n" not in text]),
    st.text("abcDEF123!#%&", min_size=12, max_size=40).filter(lambda text: len(set(text)) > 3),
)


@settings(deadline=None)
@given(SECRETS, st.sampled_from(["password", "HF_TOKEN", "apiKey", "x"]), st.sampled_from(WRAPPERS))
def test_no_message_has_the_value(text: str, name: str, wrapper: Callable[[str, str], object]) -> None:
    messages = []
    book = Book()
    book.namespace["x"] = wrapper(name, text)
    for cell in ("x", f"{name} = {text!r}", f"f({name}={text!r})", f"{{{text!r}: {{{name!r}: {text!r}}}}}"):
        book.namespace["f"] = print
        try:
            book.capture(cell)
        except CaptureError as error:
            messages.append(str(error))
    try:
        check_environment([(name, text)], ())
    except OptionError as error:
        messages.append(str(error))
    assert messages or name == "x"
    assert not [message for message in messages if text in message]
