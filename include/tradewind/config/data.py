"""What is read, what is kept of it, and what is held out."""

from __future__ import annotations

import string
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from tradewind.config.base import ColumnNames, Fraction, Frozen, Language


class QuestionTemplates(Frozen):
    """How a glossary term becomes two questions; `{eng_term}` and the brackets around it vanish where absent."""

    description_to_term: str
    """Asks for the term; holds `{description}` or `{term}`, and `{eng_term}` where wanted."""
    term_to_description: str
    """Asks for the description; the same placeholders."""

    @field_validator("description_to_term", "term_to_description")
    @classmethod
    def _known_placeholders(cls, template: str) -> str:
        known = {"description", "term", "eng_term"}
        fields = [field for field in string.Formatter().parse(template) if field[1] is not None]
        used = {str(name) for _, name, _, _ in fields}
        if used - known:
            raise ValueError(f"unknown placeholder {{{sorted(used - known)[0]}}}; known are {sorted(known)}")
        if any(spec or conversion for _, _, spec, conversion in fields):
            raise ValueError("a placeholder stands alone, without ':' or '!'")
        if not used & {"description", "term"}:
            raise ValueError("the template needs {description} or {term}")
        return template


class QualityConfig(Frozen):
    """What a pair must be like to be trained on; lengths in characters."""

    min_question: Annotated[int, Field(ge=1)] = 4
    """Shorter questions are left out."""
    max_question: Annotated[int, Field(ge=1)] = 4000
    """Longer questions are left out."""
    min_answer: Annotated[int, Field(ge=1)] = 1
    """Shorter answers are left out."""
    max_answer: Annotated[int, Field(ge=1)] = 4000
    """Longer answers are left out."""
    check_language: bool = True
    """Refuse a text mostly in another script than Latin and Hangul, and a long answer in the other language."""

    @model_validator(mode="after")
    def _room_between(self) -> QualityConfig:
        if self.min_question > self.max_question or self.min_answer > self.max_answer:
            raise ValueError("a minimum length is above its maximum")
        return self


class ColumnsConfig(Frozen):
    """Which of a table's columns (or of an object's keys) hold what.

    What a recipe states must be there: a file of which no row has a stated column is rejected whole.
    """

    term: Annotated[ColumnNames, Field(min_length=1)] = ("kor_term", "term")
    """A glossary's term."""
    eng_term: ColumnNames = ("eng_term",)
    """The term in English, where the glossary is in another language."""
    description: Annotated[ColumnNames, Field(min_length=1)] = ("description",)
    """What the term means."""
    question: Annotated[ColumnNames, Field(min_length=1)] = ("question",)
    """The question of a ready pair."""
    answer: Annotated[ColumnNames, Field(min_length=1)] = ("answer",)
    """Its answer."""
    context: ColumnNames = ("context",)
    """The passage that a ready pair is about."""
    id: ColumnNames = ("id",)
    """A file's second row of one id is rejected; an empty list leaves ids unchecked."""


class DatasetConfig(Frozen):
    """A Hugging Face dataset of question/answer pairs or of terms, read as `datasets.load_dataset` reads it."""

    path: str
    """A hub name; or a folder of `save_to_disk` or of CSV, JSON or Parquet files, absolute or below the documents."""
    name: str | None = None
    """The dataset's configuration, where it has several."""
    split: str = "train"
    """Which of its splits is read."""
    revision: str | None = None
    """The hub's branch, tag or commit; None: the newest."""
    columns: ColumnsConfig | None = None
    """Columns by other names in this dataset; None: `data.columns`."""


class DataConfig(Frozen):
    """Raw documents to question/answer pairs."""

    templates: dict[Language, QuestionTemplates] = {  # noqa: RUF012 - pydantic copies it
        "en": QuestionTemplates(
            description_to_term="Description: '{description}' Which trade term does this description define?",
            term_to_description="What does the trade term '{term}' mean?",
        ),
        "ko": QuestionTemplates(
            description_to_term="설명: '{description}' 이 설명에 해당하는 무역 용어는 무엇인가요?",
            term_to_description="'{term}({eng_term})' 이라는 무역 용어는 어떤 의미인가요?",
        ),
    }
    """The two questions of a glossary term, by language."""
    columns: ColumnsConfig = ColumnsConfig()
    """Columns by other names."""
    datasets: tuple[DatasetConfig, ...] = ()
    """Read besides the folder's documents."""
    max_records: Annotated[int, Field(ge=1)] | None = None
    """Read at most so many records of each kind of source, for a trial; None: all."""
    max_line_bytes: Annotated[int, Field(ge=1024)] = 16 * 2**20
    """The longest line, entry, passage or undivided document (in UTF-8) that is read; longer ones are rejected."""
    near_duplicate_threshold: Annotated[float, Field(gt=0.5, le=1.0)] = 0.9
    """Questions as like as this (Jaccard of their 5-grams) count as one, and the later is left out; 1: equal ones
    only."""
    quality: QualityConfig = QualityConfig()
    """What a pair must be like."""
    push_to_hub: bool = False
    """Send the pairs and their card to the Hugging Face hub, as a private data set."""
    hub_dataset_id: str | None = None
    """Such as `your-team/trade-pairs`; needed with `push_to_hub`."""

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> DataConfig:
        if self.push_to_hub and not self.hub_dataset_id:
            raise ValueError("push_to_hub needs hub_dataset_id, the data set to push to")
        return self


class SplitConfig(Frozen):
    """Shares of records (read, unseen) and of facts with several wordings (reworded) that are held out."""

    reworded: Fraction = 0.3
    """Of the facts with several questions: for how many one question is held out. 0 turns the kind off."""
    read: Fraction = 0.1
    """Of the records with running text: how many are read in adaptation and asked about, never trained on as pairs."""
    unseen: Fraction = 0.1
    """Of all records: how many the model never meets before it is asked about them."""
    min_items: Annotated[int, Field(ge=2)] = 8
    """The fewest held-out questions of a kind that an interval is given for; 2 is the arithmetic minimum."""
