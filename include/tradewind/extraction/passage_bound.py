"""Questions that make sense only beside their passage ("according to the speaker ...")."""

from __future__ import annotations

import re

from tradewind.config import Language

# Who or what speaks. "Passage" and "text" are also words of trade and law (the passage of risk, a text of a
# treaty), so that they count only where they speak, are pointed at, or nothing belongs to them.
_TELLER = (
    r"(?:speaker|lecturer|instructor|professor|presenter|narrator|author|writer|lecture|transcript|excerpt|talk|video"
    r"|presentation|podcast|slide|passage|text|paragraph)s?"
)
_PERSON = r"(?:speaker|lecturer|presenter|narrator|transcript|excerpt)"
_SAYS = (
    r"(?:say|tell|mention|state|give|describe|discuss|explain|recommend|suggest|argue|claim|advise|cite|use|offer|call"
    r"|refer|name|list|compare|define|warn|think|believe|mean|note|present|imply|conclude|emphasi[sz]e|point)"
)
_SAID = rf"{_SAYS}(?:s|d|ed|ing)?"
_TEXT_KO = r"(?:글|지문|본문|텍스트|발췌문|단락|강의|강연|영상|대화)"
_TELLER_KO = r"(?:강사|화자|발표자|연사|강연자|저자|글쓴이|필자|교수|선생)"
_SAID_KO = r"(?:말|언급|설명|소개|강조|제시|주장|권하|추천|조언|이야기|든\s|들었|예로|생각|견해|의견)"
_BOUND: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        rf"\baccording to (?:the|this|that) (?:\w+ )?{_TELLER}\b"
        rf"|\b(?:do|does|did|has|had|would|is|was) (?:the|this) (?:\w+ )?{_TELLER} {_SAID}\b"
        rf"|\b(?:the|this) {_TELLER} (?:has |had |is |was |also |\w+ly )?"
        rf"(?:{_SAYS}(?:s|d|ed)|said|told|gave)\b(?! by\b)"
        rf"|\bby the {_TELLER}(?=\s*[?.,]|$)"
        rf"|\b(?:based on|from|in) the {_TELLER},"
        rf"|\bthis (?:\w+ )?{_TELLER}\b"
        r"|\bin the (?:\w+ )?(?:lecture|talk|transcript|excerpt|video|presentation|podcast|passage)(?! of\b)\b"
        rf"|\bthe {_PERSON}\b"
        r"|\b(?:mentioned|described|discussed|stated|listed|given|shown|named) (?:above|below|here|earlier)"
        r"(?! (?:the|a|an|its|his|each|this)\b)"
        r"|\bthe (?:above|following) (?:text|passage|paragraph|excerpt|example|list|table|figure)\b"
        r"|\bthe (?:passage|text)(?: (?:above|below|mainly|about)|'s (?:topic|subject|main|theme|author))\b"
        r"|\b(?:topic|subject|theme|purpose|main idea|main point) of the (?:passage|text|paragraph|talk|lecture)\b"
        r"|\b(?:figure|table|slide) \d+\b(?! of (?:the|a)\b)",
        re.IGNORECASE,
    ),
    "ko": re.compile(
        rf"(?<![가-힣])(?:위|이|해당|주어진|다음|제시된|윗)\s*{_TEXT_KO}(?:에|은|는|의|을|를|이|가|과|와|에서|$|[\s?])"
        r"|(?<![가-힣])(?:주어진|위)\s*(?:내용|텍스트)(?:에|을|를|의|과|은)"
        r"|(?<![가-힣])(?:본문|지문|텍스트|녹취록)"
        r"(?:에\s*따르|에서\s*(?:말|언급|설명|제시|소개|다루)|의\s*(?:주제|내용|요지))"
        r"|(?<![가-힣])(?:강의|강연|발표|영상)에서"
        rf"|(?<![가-힣]){_TELLER_KO}님?에\s*따르"
        rf"|(?<![가-힣]){_TELLER_KO}님?(?:은|는|이|가|의|께서)?\s*(?:[가-힣]+\s+){{0,4}}?{_SAID_KO}"
        r"|(?:위에서|앞에서|아래에서|여기서)\s*(?:말|언급|설명|제시|소개)"
    ),
}


def is_passage_bound(question: str, language: Language) -> bool:
    """Whether a question makes sense only beside its passage ("according to the speaker ...").

    Words alone decide: a question that leaves out what it is about ("What is the second step?") is not seen.
    """
    return bool(_BOUND[language].search(question))
