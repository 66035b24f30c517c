"""A tokenizer of so many made-up words, a token each, with Gemma's special tokens and chat format.

Byte-pair merges of a real text would make the same ids; what counts here is how many words there are, since the output
layer is as large.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tradewind.models.build import CHAT_TEMPLATE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>")
_FORMAT = ("\n", "user", "model", "assistant", "system")
FIRST_WORD = len(SPECIAL) + len(_FORMAT)
"""The id of the first that is neither special nor part of the chat format."""
_ONSETS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


@cache
def words(vocabulary: int) -> list[str]:
    """All words of a vocabulary of that size but the special ones."""
    syllables = [onset + vowel for onset in _ONSETS for vowel in _VOWELS]
    base = len(syllables)
    count = vocabulary - FIRST_WORD
    return [
        syllables[number % base] + syllables[number // base % base] + syllables[number // base**2 % base]
        for number in range(count)
    ]


def tokenizer(vocabulary: int) -> PreTrainedTokenizerBase:
    """One that `AutoTokenizer` reads back from a folder."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    ids = {word: number for number, word in enumerate((*SPECIAL, *_FORMAT, *words(vocabulary)))}
    made = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))  # noqa: S106 - a token of text
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(Regex(" +"), "removed")]
    )
    # As Gemma's: plain text gets a <bos>, so a string that holds one already ends up with two.
    made.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", ids["<bos>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>",  # noqa: S106
        mask_token="<mask>", additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],  # noqa: S106
        chat_template=CHAT_TEMPLATE, model_max_length=8192, padding_side="right",
    )  # fmt: skip
