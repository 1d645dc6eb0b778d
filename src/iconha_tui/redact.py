"""Makes a text fit for a stranger: secrets go, and what tells whose machines these are gets another name.

Names are kept apart: the same address is the same stand-in in every text, so that a reader can still follow it.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from iconha_tui.masking import Masks

REMOVED = "[removed]"

_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        r"()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
        # aws_secret_access_key = x, "SecretAccessKey": "x", password: x, --secret-key=x
        r"(?i)((?:secret|session|security)[_-]?(?:access)?[_-]?(?:key|token)\\?[\"']?\s{0,9}[=:]\s{0,9}\\?[\"']?)[^\s\"'\\,}&]+",
        r"(?i)((?:pass(?:w(?:or)?d|phrase)|\bsecret)\\?[\"']?\s{0,9}[=:]\s{0,9}\\?[\"']?)[^\s\"'\\,}&]+",
        # <nvpair name="secret_key" value="x"/>, in either order
        r"(?i)(name=\\?\"[^\"]{0,99}(?:passw|secret|access_key|token)[^\"]{0,99}\"[^<>]{0,299}?value=\\?\")[^\"\\]+",
        r"(?i)(value=\\?\")[^\"\\]+(?=\\?\"[^<>]{0,299}?name=\\?\"[^\"]{0,99}(?:passw|secret|access_key|token))",
        # a key in corosync.conf itself, and as corosync-cmapctl shows it
        r"(?m)(^[ \t]*key[ \t]*:[ \t]*)\S+",
        r"(totem\.key \([a-z]+\) = )\S+",
        r"(X-Amz-(?:Signature|Security-Token|Credential)=)[^\s&\"']+",
        r"(?i)(authorization:\s*).+",
        r"(://[^\s/:@]+:)[^\s/@]+(?=@)",
        r"()\b(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}\b",
        # what AWS's secrets look like: 40 characters of base64 in both cases with a digit; session tokens are longer
        r"()(?<![A-Za-z0-9/+_-])(?=[^\s]{0,39}[a-z])(?=[^\s]{0,39}[A-Z])(?=[^\s]{0,39}[0-9])[A-Za-z0-9/+]{40}"
        r"(?![A-Za-z0-9/+_-])",
        r"()[A-Za-z0-9/+]{80,}={0,2}",
    )
)
"""What a secret looks like. The first group stays."""

_CANONICAL = "099720109477"
"""The AWS account that publishes Ubuntu's images: no secret of anybody's."""

_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d]|\.\d)")
_DASHED = re.compile(r"\b(ip|ec2)((?:-\d{1,3}){4})(?=[.\s\"'/:]|$)")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4}){0,6}:{0,2}(?![0-9A-Za-z:])")
_ARN = re.compile(r"(arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:)(\d{12})?:([a-z-]+[/:])?([^\s\"'\\,]+)")
_AWS_ID = re.compile(
    r"\b(i|ami|vpc|subnet|sg|sgr|eipalloc|eipassoc|eni|eni-attach|vol|snap|r|rtb|igw|acl|key|lt)-([0-9a-f]{17}|[0-9a-f]{8})\b"
)
_ACCOUNT = re.compile(r"(?<![\d.:-])\d{12}(?![\d.:-])")
_EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b")
_MAC = re.compile(r"(?<![0-9A-Za-z:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![0-9A-Za-z:])")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEPT_NETWORKS = tuple(
    ipaddress.ip_network(each) for each in ("0.0.0.0/8", "127.0.0.0/16", "169.254.0.0/16", "224.0.0.0/3")
)
"""Nobody's own. The rest of 127.0.0.0/8 is not among them: labs give it out as public addresses."""


class Redactor:
    """mask: takes out the secrets of a vault. secrets: further values that go wherever they stand. names: words of the
    operator's, each with its stand-in.

    counts: how much of which kind was replaced so far.
    """

    def __init__(
        self, mask: Callable[[str], str], secrets: Iterable[str] = (), names: Mapping[str, str] | None = None
    ) -> None:
        self._mask = mask
        self._known = Masks(REMOVED)
        self._known.learn(secrets)
        self._names = sorted((names or {}).items(), key=lambda each: len(each[0]), reverse=True)
        self._stand_ins: dict[str, dict[str, str]] = {}
        self.counts: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """`text` without secrets and with stand-ins."""
        before = text
        text = self._known.hide(self._mask(text))
        self.counts["secrets"] += before != text
        for pattern in _SECRETS:
            text, found = pattern.subn(rf"\g<1>{REMOVED}", text)
            self.counts["secrets"] += found
        text = _ARN.sub(self._arn, text)
        text = _AWS_ID.sub(lambda m: self._stand_in("AWS ids", m[0], lambda n: f"{m[1]}-{n:0{len(m[2])}x}"), text)
        text = _ACCOUNT.sub(self._account, text)
        text = _DASHED.sub(lambda m: f"{m[1]}-{self._address(m[2][1:].replace('-', '.')).replace('.', '-')}", text)
        text = _IPV4.sub(lambda m: self._address(m[0]), text)
        text = _IPV6.sub(lambda m: self._address(m[0]), text)
        text = _MAC.sub(lambda m: self._stand_in("MAC addresses", m[0].lower(), "02:00:00:00:00:{:02x}".format), text)
        text = _EMAIL.sub(lambda m: self._stand_in("e-mail addresses", m[0], "operator{}@example.org".format), text)
        text = _FINGERPRINT.sub(
            lambda m: self._stand_in("key fingerprints", m[0], "SHA256:fingerprint-{}".format), text
        )
        for name, stand_in in self._names:
            text, found = re.subn(rf"(?<![\w-]){re.escape(name)}(?![\w-])", stand_in.replace("\\", "\\\\"), text)
            self.counts["names of yours"] += found
        return text

    def _stand_in(self, kind: str, value: str, form: Callable[[int], str]) -> str:
        self.counts[kind] += 1
        known = self._stand_ins.setdefault(kind, {})
        return known.setdefault(value, form(len(known) + 1))

    def _arn(self, match: re.Match[str]) -> str:
        head, account, kind, name = match.groups()
        account = self._stand_in("AWS accounts", account, "{:012}".format) if account else ""
        return f"{head}{account}:{kind or ''}{self._stand_in('names in ARNs', name, 'name-{}'.format)}"

    def _account(self, match: re.Match[str]) -> str:
        known = match[0] == _CANONICAL or match[0].startswith("00000000")
        return match[0] if known else self._stand_in("AWS accounts", match[0], "{:012}".format)

    def _address(self, text: str) -> str:
        """RFC 2544's and RFC 3849's networks stand in: nobody's, and still addresses for whoever reads the files."""
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return text
        if isinstance(address, ipaddress.IPv6Address):
            if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
                return text
            return self._stand_in("IPv6 addresses", str(address), "2001:db8::{:x}".format)
        if any(address in network for network in _KEPT_NETWORKS):
            return text
        if address.is_private and not address.is_loopback:
            return self._stand_in("private addresses", text, lambda n: f"198.18.{n >> 8 & 255}.{n & 255}")
        return self._stand_in("public addresses", text, lambda n: f"198.19.{n >> 8 & 255}.{n & 255}")
