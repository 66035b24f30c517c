"""A made glossary of any size: distinct terms in English and Korean, with exact and near duplicates among them.

    python benchmarks/make_glossary.py --records 1000000 /tmp/glossary

The same numbers give the same files. Of a hundred records about 60 are English and 40 Korean; 2 repeat an earlier
one word for word, 2 but for a letter, and 1 but for a number (which makes it another fact). Descriptions have
80 to 200 characters; files hold 20,000 records, every other one as a list of lists.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

_PER_FILE = 20_000
_REPEATABLE = 50_000  # about as many as a million records repeat: an entry comes twice, seldom more often
_ENGLISH = {
    "opening": ("A {kind} which", "The {kind} that", "In foreign trade, a {kind} that", "Any {kind} which"),
    "kind": (
        "document", "charge", "contract", "payment", "certificate", "tariff", "vessel", "container", "permit",
        "insurance policy", "warehouse receipt", "customs procedure", "credit", "guarantee", "freight rate", "clause",
    ),
    "verb": (
        "transfers", "confirms", "limits", "covers", "secures", "replaces", "proves", "delays", "defines", "records",
        "divides", "releases", "finances", "classifies", "inspects", "postpones", "allocates", "waives", "settles",
    ),
    "object": (
        "the risk of loss", "title to the goods", "the duty owed", "the carrier's liability", "the buyer's claim",
        "the issuing bank's undertaking", "general average", "the demurrage", "the declared value", "the cargo",
        "the letter of credit", "the exporter's receivable", "the place of delivery", "the inland haulage",
        "the bill of lading", "the dangerous goods", "the customs bond", "the consignee's order", "the free time",
    ),
    "when": (
        "before loading at", "upon arrival in", "against documents from", "for a shipment through", "on a voyage to",
        "under the law of", "within the free zone of", "by an agent in", "during transit by way of", "for storage in",
    ),
    "end": (
        "at the expense of", "in favour of", "on behalf of", "with the consent of", "at the request of",
        "as agreed with", "for the account of", "subject to approval by",
    ),
    "party": (
        "the seller", "the buyer", "the carrier", "the forwarder", "the insurer", "the surveyor", "the customs broker",
        "the port authority", "the issuing bank", "the consignee", "the ship owner", "the charterer",
    ),
}  # fmt: skip
_KOREAN = {
    "opening": ("{kind}(으)로서", "무역에서 쓰이는 {kind}(으)로", "국제 운송에 관한 {kind}이며", "다음 {kind}:"),
    "kind": (
        "서류", "운임", "계약", "결제 방식", "증명서", "관세", "선박", "컨테이너", "허가", "보험 증권", "창고 증권",
        "통관 절차", "신용장", "보증", "부대 비용", "약관",
    ),
    "verb": (
        "이전하고", "확인하며", "제한하고", "담보하며", "보장하고", "대체하며", "증명하고", "연기하며", "정의하고",
        "기록하며", "분담하고", "해제하며", "조달하고", "분류하며", "검사하고", "면제하며", "정산하고",
    ),
    "object": (
        "화물의 멸실 위험을", "물품의 소유권을", "납부할 세액을", "운송인의 책임을", "매수인의 청구권을", "공동 해손을",
        "개설 은행의 지급 확약을", "체선료를", "신고 가격을", "적재 화물을", "수출 대금 채권을", "인도 장소를",
        "내륙 운송 구간을", "선하증권의 효력을", "위험물의 취급을", "통관 담보를", "수하인의 지시를",
        "무료 장치 기간을",
    ),
    "when": (
        "선적하기 전에", "도착한 다음", "서류와 상환으로", "경유하는 동안", "항해 기간 중에", "현지 법률에 따라",
        "자유 무역 지역 안에서", "대리인을 통하여", "보관하는 기간에", "환적할 때",
    ),
    "end": ("비용 부담으로", "이익을 위하여", "명의를 빌려", "동의를 얻어", "요청에 따라", "합의한 바대로", "승인하에"),
    "party": (
        "매도인의", "매수인의", "운송인의", "운송 주선인의", "보험자의", "검정인의", "관세사의", "항만 당국의",
        "개설 은행의", "수하인의", "선주의", "용선자의",
    ),
}  # fmt: skip
_SYLLABLES = {
    "en": ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pha", "gro", "den", "sol", "mar", "wick"),
    "ko": ("가", "노", "두", "람", "미", "산", "온", "진", "청", "태", "평", "한", "호", "율", "벽", "솔"),
}


def main() -> None:
    """Write `term_data/*.json` below the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--template", action="store_true", help="let every description begin with the same 60 letters")
    arguments = parser.parse_args()
    terms = arguments.folder / "term_data"
    terms.mkdir(parents=True)
    entries = glossary(arguments.records, arguments.seed, template=arguments.template)
    for number in range(-(-arguments.records // _PER_FILE)):
        rows = list(islice(entries, _PER_FILE))
        nested = [rows[at : at + 10] for at in range(0, len(rows), 10)] if number % 2 else rows
        text = json.dumps(nested, ensure_ascii=False, indent=1)
        (terms / f"terms_{number:03d}.json").write_text(text, encoding="utf-8")


def glossary(count: int, seed: int, *, template: bool = False) -> Iterator[dict[str, str]]:
    """So many entries of a glossary, the same for the same arguments."""
    rng = random.Random(seed)
    kept: list[dict[str, str]] = []
    for number in range(count):
        draw = rng.random()
        if draw < 0.05 and kept:
            yield _again(rng.choice(kept), rng, draw)
            continue
        entry = _entry("ko" if rng.random() < 0.4 else "en", number, rng, template=template)
        if len(kept) < _REPEATABLE:
            kept.append(entry)
        else:
            kept[rng.randrange(_REPEATABLE)] = entry
        yield entry


def _entry(language: str, number: int, rng: random.Random, *, template: bool) -> dict[str, str]:
    words = _ENGLISH if language == "en" else _KOREAN
    name, place = _name(number, language), "".join(rng.choices(_SYLLABLES[language], k=4)).capitalize()
    clause = [rng.choice(words[part]) for part in ("verb", "object", "when", "end", "party")]
    clause.insert(3, place)
    opening = rng.choice(words["opening"]).format(kind=rng.choice(words["kind"]))
    days, second = rng.randint(2, 120), rng.choice(words["object"])
    if language == "en":
        common = "A term of international trade as this organisation uses it in daily work: " if template else ""
        description = f"{common}{opening} {' '.join(clause)}, {second} included, within {days} days"
        term = f"{name.capitalize()} {rng.choice(words['kind'])}"
        return {"term": term, "description": description + "."}
    common = "우리 회사가 날마다 하는 업무에서 쓰는 국제 무역 용어로서 그 뜻은 다음과 같이 정한다: " if template else ""
    description = (
        f"{common}{opening} {' '.join(clause)} {second} {days}일 이내에 처리하는 데 쓰이며 {rng.choice(words['party'])}"
    )
    description += (
        f" {rng.choice(words['end'])} {rng.choice(words['verb'])} {rng.choice(words['object'])} 다루는 것을 말한다."
    )
    return {
        "kor_term": f"{name} {rng.choice(words['kind'])}",
        "eng_term": _name(number, "en"),
        "description": description,
    }


def _name(number: int, language: str) -> str:
    """A name that no other number below 2^24 has: the number, scattered, to base 16 as syllables."""
    scattered = number * 0x9E3779B1 % (1 << 24)
    return "".join(_SYLLABLES[language][scattered >> shift & 15] for shift in range(0, 24, 4))


def _again(entry: dict[str, str], rng: random.Random, draw: float) -> dict[str, str]:
    """An entry once more: as it is, with a letter more in a long word, or with another number."""
    if draw < 0.02:
        return dict(entry)
    text = entry["description"]
    if draw < 0.04:
        at = rng.randrange(10, len(text) - 10)
        return entry | {"description": text[:at] + text[at] + text[at:]}
    digits = "".join(char for char in text if char.isdigit())
    return entry | {"description": text.replace(digits, str(int(digits) + rng.randint(121, 300)))}


if __name__ == "__main__":
    main()
