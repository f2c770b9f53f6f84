"""What looks like a credential: by its form, or by its name. Such a string must not travel as a copy.

A name counts by its words: `hf_token`, `apiKey` and `DB_PASSWORD` say it, `tokenizer`, `n_tokens`, `token_url` and
`eos_token` do not. Harmless whatever their name: paths, URLs without a password, names of environment variables,
placeholders, and sums (hex digests, UUIDs), the last ones but for an API key, which may be nothing but hex.

What is found is told by its place and kind; no function here puts a value into a message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from kube_magics.errors import OptionError

LEFT_OUT = "…"
"""Stands where a credential would be shown."""
LEAST = 8
LONG = 12
LOOKED_AT = 8 * 1024
"Characters of a string: the forms stand at its beginning, and a corpus of text is not worth reading."

_FORMS = (
    ("an AWS access key", "AKIA ASIA", r"[0-9A-Z]{16}"),
    ("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{20,}"),
    ("a GitHub token", "github_pat_", r"[A-Za-z0-9_]{20,}"),
    ("a GitLab token", "glpat-", r"[\w-]{20,}"),
    ("an Anthropic API key", "sk-ant-", r"[\w-]{20,}"),
    ("an API key", "sk-", r"\w{20,}(?![\w-])|(?=[\w-]*[0-9])[\w-]{20,}"),
    ("an API key", "gsk_ r8_", r"[A-Za-z0-9]{32,}"),
    ("a Hugging Face token", "hf_", r"[A-Za-z0-9]{20,}"),
    ("a Slack token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", r"[A-Za-z0-9-]{10,}"),
    ("a Slack webhook", "hooks.slack.com/services/T", r"\w+/B\w+/\w{8,}"),
    ("a Google API key", "AIza", r"[\w-]{30,}"),
    ("a Google token", "ya29. GOCSPX-", r"[\w-]{20,}"),
    ("an npm token", "npm_", r"[A-Za-z0-9]{30,}"),
    ("a PyPI token", "pypi-", r"(?=[\w-]*[0-9])[\w-]{32,}"),
    ("a DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", r"[a-f0-9]{32,}"),
    ("a SendGrid key", "SG.", r"[\w-]{16,}\.[\w-]{16,}"),
    ("a Shopify token", "shpat_ shpca_ shppa_ shpss_", r"[A-Fa-f0-9]{20,}"),
    ("a Stripe key", "rk_live_ sk_live_ rk_test_ sk_test_", r"[A-Za-z0-9]{16,}"),
    ("a Databricks token", "dapi", r"[a-f0-9]{32}"),
    ("a Vault token", "hvs. hvb.", r"[\w-]{20,}"),
    ("a Docker token", "dckr_pat_", r"[\w-]{20,}"),
    ("a storage key", "AccountKey=", r"[A-Za-z0-9+/]{40,}"),
    ("a JSON web token", "eyJ", r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
    ("a private key", "-----BEGIN", r" (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
)
_STARTS = tuple((start, rest, what) for what, starts, rest in _FORMS for start in starts.split())
_USERINFO = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/@:]*:([^\s/@]{3,})@", re.IGNORECASE)
_ALONE = re.compile(r"\b(?:http|dav)s?://([^\s/?#@:]+)@", re.IGNORECASE)
"To a host that is spoken to over HTTP a name is no more than a password: https://TOKEN@host. Elsewhere it may be a"
" user, or a container: abfs://container@account."
_OPEN = re.compile(r"://[^/@]*:[^/@]*@|[?&][^=]*(?:key|token|secret|sig|password)[^=]*=", re.IGNORECASE)
_QUERY = re.compile(r"[?&;]([\w.-]+)=([^&#\s]{8,})")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SPECIAL = frozenset(
    "pad eos bos unk mask sep cls special start end stop begin next first last current prev previous new image audio"
    " video space blank word sub delimiter separator max min num".split()
)
"Before `token`: a piece of text, not a key to something."
_ABOUT = frozenset(
    "url uri endpoint path file filename folder dir directory name names env var variable type types count counts"
    " limit limits length len size sizes max min budget index indices idx ids embedding embeddings field fields column"
    " columns col header prefix suffix pattern regex hint prompt policy strategy method class dim format expiry ttl"
    " timeout version hash digest checksum sha sha1 sha256 sha512 md5 separator sep loss classification required"
    " enabled label labels classification classifier recognition level dropout match vocab vocabulary mask".split()
)
"After the word: something about the credential, not the credential."
_HARMLESS = re.compile(
    r"(?:sha\d{1,3}|md5|blake2[bs])[:=-][0-9A-Fa-f]+"
    r"|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
    r"|(?:~|\.{1,2})?/[\w.,/ -]*|[A-Za-z]:\\.*|[\w.-]+(?:/[\w.-]+)*\."
    r"(?:json|txt|ya?ml|toml|ini|cfg|env|pem|key|crt|pt|pth|bin|model|csv|md|py|safetensors|gz|zip|log|pkl|npy|db|h5)"
    r"|[A-Za-z][A-Za-z0-9+.-]*://\S*"
    r"|\$?\{?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\}?|\$\w+|\$?\{[^}]*\}"
    r"|<.*>|\[[^\]]*\]|(.)\1+|(?i:your)[-_ ].*",
    re.DOTALL,
)
_DIGEST = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})", re.IGNORECASE
)


def kind(text: str) -> str | None:
    """What a string is, or holds, by its form alone."""
    if "-----BEGIN" not in text:  # all other forms are one long word
        text = " ".join([word for word in text.split() if len(word) >= LONG])
    for start, rest, what in _STARTS if text else ():
        at = text.find(start)  # looking for 40 plain texts is far quicker than for one pattern of 40
        while at >= 0:
            if not (at and (text[at - 1].isalnum() or text[at - 1] == "_")) and re.compile(rest).match(
                text, at + len(start)
            ):
                return what
            at = text.find(start, at + 1)
    if "://" not in text:
        return None
    userinfo = _USERINFO.search(text)
    if userinfo is not None and not _placeholder(userinfo[1]):
        return "a URL with a password"
    if any(named(name) and not _harmless(value, named(name)) for name, value in _QUERY.findall(text)):
        return "a URL with a credential"
    return None


@lru_cache(maxsize=4096)
def named(name: str) -> str:
    """Which kind of credential a name speaks of: `token`, `secret`, `password`, `API key`, or nothing."""
    words = [word.lower() for word in _WORDS.findall(name)]
    for number, word in enumerate(words):
        said = _said(word, words[number - 1] if number else "", words[number + 1] if number + 1 < len(words) else "")
        after = words[number + (2 if said == "API key" and word == "api" else 1) :]
        if said and not (set(after) & _ABOUT or (said == "token" and {"id", "to"} & set(after))):
            return said
    return ""


def _said(word: str, before: str, after: str) -> str:
    if word.endswith("token") and before not in _SPECIAL:
        return "token"
    if word.endswith(("secret", "secrets")):
        return "secret"
    if word.endswith(("password", "passwords", "passwd", "passphrase")) or word == "passw":
        return "password"
    return "API key" if word in ("apikey", "apikeys") or (word == "api" and after in ("key", "keys")) else ""


def suspicion(name: str, text: str) -> str | None:
    """What a string under a name looks like, or None; a name may be empty."""
    found = kind(text[:LOOKED_AT])
    if found is not None:
        return found
    said = named(name)
    if said and len(text) >= LEAST and not _harmless(text, said):
        return f"{'an' if said == 'API key' else 'a'} {said} by its name"
    return None


def _harmless(text: str, said: str) -> bool:
    text = text.strip()
    if said == "token" and re.search(r"\s", text[:LOOKED_AT]):
        return True  # a piece of language
    if _DIGEST.fullmatch(text):
        return said != "API key"
    return len(text) < LOOKED_AT and _placeholder(text)


def _placeholder(text: str) -> bool:
    return _HARMLESS.fullmatch(text) is not None


def alone(text: str) -> bool:
    """Whether a URL in it has a name that must be a token, as in https://TOKEN@host."""
    found = _ALONE.search(text)
    return found is not None and not _placeholder(found[1])


def in_address(url: str) -> bool:
    """Whether a URL that all will read holds a credential: however short, and whatever it looks like."""
    return bool(_OPEN.search(url) or alone(url) or kind(url))


def check_environment(variables: Iterable[tuple[str, str]], allowed: Collection[str]) -> None:
    """Raises OptionError for a variable of --env that would carry a credential."""
    for name, value in variables:
        found = None if name in allowed else suspicion(name, value)
        if found is not None:
            raise OptionError(
                f"--env {name} looks like {found}: it would stand in the Job for all to read.",
                hint=f"{reference(name)}; if it is none: --capture {name}",
            )


def check_arguments(words: Iterable[str], allowed: Collection[str]) -> None:
    """Raises OptionError for a credential among the arguments of a program: `--token VALUE`, `--token=VALUE`."""
    before = ""
    for word in words:
        option, equals, value = word.partition("=")
        name, text = (option, value) if equals and option.startswith("-") else (before, word)
        found = suspicion(name.lstrip("-"), text)
        if found is not None and not {name.lstrip("-"), name.lstrip("-").replace("-", "_")} & set(allowed):
            what = f"The argument {name}" if name else "An argument"
            raise OptionError(
                f"{what} looks like {found}: it would stand in the Job for all to read.",
                hint=f"{reference(name)}, and let the program read it there",
            )
        before = word if word.startswith("-") and not equals else ""


def masked_arguments(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """The arguments of a program without what looks like a credential; and what that was, by its names."""
    kept: list[str] = []
    found: list[str] = []
    before = ""
    for word in map(str, words):
        option, equals, value = word.partition("=")
        joined = bool(equals) and option.startswith("-")
        name, text = (option, value) if joined else (before, word)
        if suspicion(name.lstrip("-"), text):
            found.append(name or "an argument")
            kept.append(f"{option}={LEFT_OUT}" if joined else LEFT_OUT)
        else:
            kept.append(word)
        before = word if word.startswith("-") and not equals else ""
    return kept, found


def reference(name: str) -> str:
    """How a job gets one without a copy of it, as a hint: the option, and what the job reads."""
    variable = re.sub(r"\W", "_", "_".join(_WORDS.findall(name)).upper()) or "TOKEN"
    if variable[0].isdigit():
        variable = f"_{variable}"
    return f'--secret NAME:KEY={variable}   (a reference: the job reads os.environ["{variable}"])'
