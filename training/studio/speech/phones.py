"""The sounds of speech that the studio tells apart, and their names in other inventories.

A symbol is an ARPAbet phone without stress, with "AX" for any reduced vowel and "SIL" for silence.
Sounds of other languages get the English symbol whose lips and jaw look the same.
"""

# ruff: noqa: RUF001 - phonetic letters are meant, however much they look like Latin ones

from __future__ import annotations

import re

from training.studio.performance_data import Phone

SILENCE = "SIL"
REDUCED_VOWEL = "AX"

BILABIALS = frozenset({"P", "B", "M"})
DIPHTHONGS: dict[str, tuple[str, str]] = {
    "AY": ("AA", "IY"),
    "EY": ("EH", "IY"),
    "AW": ("AA", "UW"),
    "OY": ("AO", "IY"),
    "OW": ("OW", "UW"),
}
VOWELS = frozenset(
    {"AA", "AE", "AH", "AO", "AX", "EH", "ER", "IH", "IY", "UH", "UW", "OW", *DIPHTHONGS}
)
CONSONANTS = frozenset(
    {
        *("P", "B", "M", "F", "V", "TH", "DH", "T", "D", "N", "L", "S", "Z", "SH", "ZH", "CH"),
        *("JH", "K", "G", "NG", "HH", "R", "W", "Y"),
    }
)
SYMBOLS = VOWELS | CONSONANTS | {SILENCE}

_ARPABET_ALIASES = {
    **dict.fromkeys(("PAU", "H#", "SIL", "BRTH", "+NSN+", "SP", "SPN"), SILENCE),
    **dict.fromkeys(("+SPN+", "AXR"), REDUCED_VOWEL),
    **{"DX": "D", "IX": "IH", "UX": "UW", "EL": "L", "EM": "M", "EN": "N", "HV": "HH"},
}

_IPA_PAIRS = {
    **dict.fromkeys(("aɪ", "ai", "ɑɪ", "aj", "ɑi"), "AY"),
    **dict.fromkeys(("aʊ", "au", "ɑʊ", "aw"), "AW"),
    **dict.fromkeys(("eɪ", "ei", "ɛɪ", "ej"), "EY"),
    **dict.fromkeys(("oʊ", "ou", "əʊ", "ɔu"), "OW"),
    **dict.fromkeys(("ɔɪ", "oi", "ɔø", "ɔy"), "OY"),
    **dict.fromkeys(("tʃ", "tɕ", "tʂ"), "CH"),
    **dict.fromkeys(("dʒ", "dʑ", "dʐ"), "JH"),
    **{"ts": "S", "dz": "Z", "pf": "F"},
}
_IPA_LETTERS = {
    symbol: letters
    for symbol, letters in {
        **{"P": "pɸ", "B": "bβ", "M": "m", "F": "f", "V": "vɱʋ", "TH": "θ", "DH": "ð"},
        **{"T": "tʈ", "D": "dɖɾɽr", "N": "nɳɲ", "L": "lɫʎɭʟ", "S": "s", "Z": "z"},
        **{"SH": "ʃɕʂ", "ZH": "ʒʑʐ", "K": "kqc", "G": "ɡgɟɢ", "NG": "ŋ", "HH": "hɣxχħɦçʔʁʀ"},
        **{"R": "ɹɻ", "W": "wʍɥ", "Y": "jʝ", "UW": "uyʉ", "UH": "ʊʏɯ", "OW": "oø", "AO": "ɔœɒ"},
        **{"AA": "ɑaä", "AE": "æ", "AH": "ʌɤ", "AX": "əɐɘɵᵊ", "ER": "ɚɝɜ", "EH": "eɛ"},
        **{"IH": "ɪɨᵻ", "IY": "i"},
    }.items()
}
_IPA_SYMBOLS = {letter: symbol for symbol, letters in _IPA_LETTERS.items() for letter in letters}
_IPA_MARKS = re.compile("[ˈˌːˑʲʰʷ0-9͜͡\u0300-\u036f]")


def symbol_of_arpabet(name: str) -> str:
    """Give the symbol of an ARPAbet-like name such as "AH0", "pau" or "+NSN+"."""
    plain = re.sub(r"\d", "", name.upper())
    plain = _ARPABET_ALIASES.get(plain, plain)
    return plain if plain in SYMBOLS else REDUCED_VOWEL


def symbol_of_ipa(name: str) -> str:
    """Give the symbol of one phone in IPA; an empty name and a pause mark are silence."""
    plain = _IPA_MARKS.sub("", name)
    if not plain or plain[0] in "_|:; ":
        return SILENCE
    if plain[:2] in _IPA_PAIRS:
        return _IPA_PAIRS[plain[:2]]
    return _IPA_SYMBOLS.get(plain[0], REDUCED_VOWEL)


def shifted(phones: tuple[Phone, ...], start: float, speed: float = 1.0) -> tuple[Phone, ...]:
    """Move phones so that time 0 becomes `start`, after speaking them `speed` times as fast."""
    return tuple(
        Phone(start=start + p.start / speed, end=start + p.end / speed, symbol=p.symbol)
        for p in phones
    )


def filled(phones: tuple[Phone, ...], seconds: float) -> tuple[Phone, ...]:
    """Cover 0..seconds without gap or overlap: silence in the gaps, the later phone cuts."""
    out: list[Phone] = []
    time = 0.0
    ordered = sorted(phones, key=lambda phone: phone.start)
    for index, phone in enumerate(ordered):
        following = ordered[index + 1].start if index + 1 < len(ordered) else seconds
        start, end = max(phone.start, time), min(phone.end, following, seconds)
        if end <= start:
            continue
        if start > time:
            out.append(Phone(start=time, end=start, symbol=SILENCE))
        out.append(Phone(start=start, end=end, symbol=phone.symbol))
        time = end
    if time < seconds:
        out.append(Phone(start=time, end=seconds, symbol=SILENCE))
    return _without_runs_of_silence(out)


def _without_runs_of_silence(phones: list[Phone]) -> tuple[Phone, ...]:
    out: list[Phone] = []
    for phone in phones:
        if out and phone.symbol == SILENCE == out[-1].symbol:
            out[-1] = Phone(start=out[-1].start, end=phone.end, symbol=SILENCE)
        else:
            out.append(phone)
    return tuple(out)
