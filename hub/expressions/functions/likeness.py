"""Functions that write texts so that two ways of writing the same come out alike: for comparing, never for showing."""

from __future__ import annotations

import re
import unicodedata

from hub.expressions.budgets import Meter
from hub.expressions.functions.signature import function

#: Whose marks are accents on a letter; those of other scripts are letters of their own (`ガ` is no `カ`).
_ACCENTED = ("LATIN", "GREEK", "CYRILLIC")
#: Letters that have no accent to take off, but are written without their stroke where a keyboard has none.
_STROKES = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)
#: A dot between letters that stand alone is part of a short form: `S.A.`, `K.K.`.
_SHORT_FORM = re.compile(r"\b(?:\w\.){2,}(?:\w\b)?|\b\w\.\w\b")
_NO_WORD = re.compile(r"[^\w]+|_+")
_LEGAL_WORDS = frozenset(
    """
    ab ag ans aps as asa bhd bv bvba co company corp corporation cv doo dba eg ev fzco fze fzc gbr ggmbh gk gmbh inc
    incorporated jsc kda kft kg kgaa kk ks lda limited llc llp lp ltd ltda mbh nv ohg ooo oy oyj partg plc pte pty pvt
    sa sab sae sagl sarl sas sasu sca scs sdn se sl slu snc spa srl sro sti tbk ug wll yk zrt
    aktiengesellschaft gesellschaft kabushiki kaisha godo yugen haftungsbeschrankt
    """.split()
)
#: Legal forms of several words, the longest first, as they stand at an end.
_LEGAL_PHRASES = (
    "sp z o o",
    "sp z oo",
    "s p a",
    "s a r l",
    "s r l",
    "s r o",
    "d o o",
    "b v",
    "n v",
    "k k",
    "s a",
    "a s",
    "de cv",
)
#: Written without a blank before or behind the name.
_LEGAL_MARKS = (
    *("株式会社", "合同会社", "有限会社", "合資会社", "股份有限公司", "有限责任公司", "有限公司", "주식회사"),
    *("(株)", "(有)", "(주)"),
)


@function("fold(text: string|null) -> string|null", metered=True)
def fold(text: str, meter: Meter) -> str:
    """Write a string in small letters without accents, with single blanks: `Zoë  MÜLLER` is `zoe muller`."""
    # Some letters become three, and each is looked at.
    meter.spend_text(4 * len(text))
    return _folded(text)


@function("alphanumeric(text: string|null) -> string|null", metered=True)
def alphanumeric(text: str, meter: Meter) -> str:
    """Keep the letters and digits of a string, in capitals without accents: `de 136.695-976` is `DE136695976`."""
    meter.spend_text(4 * len(text))
    return "".join(char for char in _folded(text) if char.isalnum()).upper()


@function("company_name(text: string|null) -> string|null", metered=True)
def company_name(text: str, meter: Meter) -> str:
    """Give a company's name folded, without punctuation and legal form: `Müller & Co. GmbH` is `muller`."""
    meter.spend_text(8 * len(text))
    folded = _folded(text)
    for mark in _LEGAL_MARKS:
        if folded.startswith(mark) or folded.endswith(mark):
            folded = folded.removeprefix(mark).removesuffix(mark).strip() or folded
    joined = _SHORT_FORM.sub(lambda found: found.group().replace(".", ""), folded)
    words = _NO_WORD.sub(" ", joined.replace("'", "").replace("\N{RIGHT SINGLE QUOTATION MARK}", "")).split()
    kept = list(words)
    while (shorter := _without_form(kept)) is not None:
        kept = shorter
    # A name that is nothing but a form stays: `Limited` is a name too.
    return " ".join(kept or words)


@function("email_domain(text: string|null) -> string|null", metered=True)
def email_domain(text: str, meter: Meter) -> str:
    """Give the domain of a mail address in small letters; an empty string where there is none."""
    meter.spend_text(len(text))
    _, at, domain = text.strip().rpartition("@")
    return domain.lower() if at and "." in domain.strip(".") else ""


def _folded(text: str) -> str:
    small = unicodedata.normalize("NFKC", text).casefold()
    letters: list[str] = []
    accented = False
    for char in unicodedata.normalize("NFD", small):
        if unicodedata.combining(char):
            if not accented:
                letters.append(char)
            continue
        accented = unicodedata.name(char, "").startswith(_ACCENTED)
        letters.append(char)
    whole = unicodedata.normalize("NFC", "".join(letters)).translate(_STROKES)
    return " ".join(whole.split())


def _without_form(words: list[str]) -> list[str] | None:
    """Take a legal form from the end of a name; None when there is none, or nothing else would be left."""
    for phrase in _LEGAL_PHRASES:
        parts = phrase.split()
        if len(words) > len(parts) and words[-len(parts) :] == parts:
            return words[: -len(parts)]
    return words[:-1] if len(words) > 1 and words[-1] in _LEGAL_WORDS else None


FUNCTIONS = (fold, alphanumeric, company_name, email_domain)
