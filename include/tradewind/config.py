"""Every setting of a run and its default: the only home of defaults.

A recipe (`recipes/*.yaml`) states what differs from these. Field names are those of TRL's
`SFTConfig`, PEFT's `LoraConfig` and transformers' `TrainingArguments` where such a field exists.
"""

from __future__ import annotations

import string
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from tradewind.kinds import Kind

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Language = Literal["en", "ko"]
SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
ColumnNames = Annotated[tuple[str, ...], BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]
"""Columns that may hold a value: the first with something in it counts. One may be stated without a list."""


class Frozen(BaseModel):
    """A settings block: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True,
        allow_inf_nan=False,  # which JSON does not know: `run.json` could not be read again
    )  # fmt: skip

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, field: ValidationInfo) -> Any:
        """Python takes True for 1, and YAML `yes` and `on` for True."""
        if isinstance(value, bool) and cls.model_fields[str(field.field_name)].annotation is not bool:
            raise ValueError("true and false (in YAML also yes, no, on, off) are no value here")
        return value


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

    templates: dict[Language, QuestionTemplates] = {
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


class ModelConfig(Frozen):
    """The base model: `embedded:tiny-gemma2`, a folder, or a hub name."""

    model_name_or_path: str = "embedded:tiny-gemma2"
    """One whose tokenizer has a chat template, as Gemma's `-it` models have."""
    model_revision: str | None = None
    """The hub's branch, tag or commit; None: the newest."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the weights are loaded in."""
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] = "eager"
    """How attention is computed; `eager` holds for Gemma-2 everywhere, its softcapping included."""


class LoraSettings(Frozen):
    """PEFT's LoRA; the targets are Gemma's seven projections."""

    r: Annotated[int, Field(ge=1)] = 16
    """The rank: more learns more and takes more memory."""
    lora_alpha: Annotated[float, Field(gt=0)] = 32
    """The adapter's weight is `lora_alpha / r`."""
    lora_dropout: Fraction = 0.0
    """Slows training on a CPU by a third."""
    target_modules: tuple[str, ...] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    """The layers that get an adapter."""


class TrainingConfig(Frozen):
    """One training: adaptation on running text, or fine-tuning on pairs."""

    enabled: bool = True
    """Off, the stage is left out."""
    num_train_epochs: Annotated[float, Field(gt=0)] = 3
    """How often the whole training set is gone through."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    """At its highest, after the warm-up."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls to the end."""
    warmup_steps: Annotated[float, Field(ge=0)] = 0
    """A whole number of steps, or below 1 a share of all steps."""
    per_device_train_batch_size: Annotated[int, Field(ge=1)] = 2
    """Examples on a GPU at once; less takes less memory."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 4
    """Batches for one step of the optimizer."""
    max_length: Annotated[int, Field(ge=16)] = 1024
    """In tokens. A longer text is cut into several examples; a longer pair is left out and counted."""
    packing: bool = False
    """Best-fit decreasing packing of whole examples; never TRL's `wrapped`, which mixes them."""
    group_by_length: bool = True
    """Batches of examples of like length, so that little is padding; without effect where `packing` is on."""
    gradient_checkpointing: bool = False
    """Less memory for activations, at the price of computing them twice."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of the optimizer."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    optim: str = "adamw_torch"
    """An optimizer of transformers' `TrainingArguments`, such as `adamw_torch_fused`."""
    bf16: bool = False
    """Mixed precision: compute in bfloat16, on hardware that can."""
    logging_steps: Annotated[int, Field(ge=1)] = 10
    """Steps from one line of the log, and point of the loss curve, to the next."""
    save_steps: Annotated[int, Field(ge=1)] = 100
    """Steps from one checkpoint to the next: what a killed training loses at most."""
    save_total_limit: Annotated[int, Field(ge=2)] = 2
    """How many checkpoints stand at once; all are removed when the stage is done."""
    lora: LoraSettings | None = LoraSettings()
    """Low-rank adapters; None trains every weight."""
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """Trackers of transformers' that each training reports to; their packages must be installed."""
    push_to_hub: bool = False
    """Send this training's model to the Hugging Face hub, as a private one, better or not; see
    `registry.push_to_hub`."""
    hub_model_id: str | None = None
    """Such as `your-team/trade-gemma`; needed with `push_to_hub`."""

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> TrainingConfig:
        if self.push_to_hub and not self.hub_model_id:
            raise ValueError("push_to_hub needs hub_model_id, the repository to push to")
        return self


class SweepConfig(Frozen):
    """How the trials of a sweep are compared, see `tradewind.sweep.validation`."""

    validation: Annotated[float, Field(gt=0.0, le=0.5)] = 0.1
    """Share of the training pairs that no trial is trained on: the loss on them says which is best."""
    min_pairs: Annotated[int, Field(ge=1)] = 8
    """The fewest such pairs."""


class ServerConfig(Frozen):
    """A model behind an OpenAI-compatible server."""

    model: str
    """The model's name at the server."""
    base_url: str | None = None
    """Such as `http://localhost:8000/v1`; None: OpenAI's own."""
    api_key_env: SecretName = "OPENAI_API_KEY"
    """The *name* of the environment variable that holds the key; the key itself never enters a file."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds until a request without an answer is sent again."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None and not _is_http(url):
            raise ValueError("an address begins with http:// or https:// and names a host")
        return url


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only when asked for
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, url))


class BudgetConfig(Frozen):
    """What one run may spend, its shards and tries together; None: no bound."""

    requests: Annotated[int, Field(ge=0)] | None = None
    """How many are sent at most."""
    tokens: Annotated[int, Field(ge=0)] | None = None
    """Of questions and answers together."""
    money: Annotated[float, Field(ge=0)] | None = None
    """In the currency of `price`."""
    when_reached: Literal["stop", "go_on"] = "stop"
    """Fail, to be cleared with a larger budget, or go on with what is answered so far."""


class PriceConfig(Frozen):
    """What the server's owner charges for a million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    """For a million tokens of questions."""
    completion: Annotated[float, Field(ge=0)]
    """For a million tokens of answers."""
    batch_discount: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What share of the price falls away for requests sent through the Batch API."""
    currency: str = "USD"
    """Only shown, never converted."""


class GroundingConfig(Frozen):
    """When an answer counts as supported by its passage."""

    min_overlap: Fraction = 0.5
    """Share of the answer's words, by their stems, that stand in the passage."""
    min_similarity: Annotated[float, Field(ge=-1.0, lt=1.0)] = 0.6
    """Cosine of the answer to the passage's nearest sentence, by `evaluate.encoder`. Either test suffices."""
    judge: bool = False
    """Ask the extracting model too, in a request of its own for each passage."""


class AskConfig(ServerConfig):
    """How a server is asked many questions, each answer paid for once."""

    block: ClassVar[str]
    """The recipe's block, by which messages name a setting."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sent only if stated, and no more once the server refused it."""
    max_completion_tokens: Annotated[int, Field(ge=64)] = 4096
    """The longest answer that the server may give; a longer one is cut off and not used."""
    response_format: Literal["json_schema", "json_object", "text"] = "json_schema"
    """What is tried first; a server that refuses it is asked in the next weaker form."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests under way at once, in each shard."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a question is asked until its answer can be used."""
    patience: Annotated[float, Field(ge=0)] = 300.0
    """Seconds for which a request is sent again while the server is busy, broken or out of reach."""
    retry_failed: bool = False
    """Ask again what the model refused, or answered in no usable way, in earlier runs."""
    budget: BudgetConfig = BudgetConfig()
    """What one run may spend."""
    price: PriceConfig | None = None
    """Needed for `budget.money`, and for a cost in the log."""

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Self:
        if self.budget.money is not None and self.price is None:
            raise ValueError("budget.money needs price, what a million tokens cost")
        return self


class BatchConfig(AskConfig):
    """The same where OpenAI's Batch API may be used."""

    batch: bool = False
    """Use OpenAI's Batch API: cheaper, within a day."""
    batch_poll_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Seconds from one look at a batch to the next."""


class ExtractConfig(BatchConfig):
    """Question/answer pairs drawn from running text by a model; without this block none are drawn."""

    block = "extract"

    passage_tokens: Annotated[int, Field(ge=32)] = 512
    """The longest passage, in tokens of the model that is trained."""
    overlap_tokens: Annotated[int, Field(ge=0)] = 64
    """Sentences that a passage repeats of the one before, so that a fact across the cut is whole."""
    max_pairs: Annotated[int, Field(ge=1, le=50)] = 8
    """Facts asked for of one passage, at most."""
    wordings: Annotated[int, Field(ge=1, le=10)] = 3
    """Differently worded questions for each fact; *reworded* held-out questions need two or more."""
    summarise: bool = False
    """Have the passage summarised first, and pairs drawn from the summary."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    """Into how many tasks Airflow divides the passages."""
    grounding: GroundingConfig = GroundingConfig()
    """Which answers are kept."""

    @model_validator(mode="after")
    def _overlap_is_shorter(self) -> Self:
        if self.overlap_tokens >= self.passage_tokens:
            raise ValueError("overlap_tokens must be less than passage_tokens")
        return self


class JudgeConfig(AskConfig):
    """Grades truthfulness from 1 to 5 against the reference; without this block it is not measured."""

    block = "evaluate.judge"

    samples: Annotated[int, Field(ge=1, le=25)] = 1
    """Verdicts asked for on each answer, of which the mean is its score; at a temperature of 0 they are alike."""
    max_unscored: Annotated[float, Field(ge=0.0, le=1.0)] = 0.2
    """With a larger share of any model's answers without a score the stage fails rather than report."""
    min_kappa: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.6
    """Below this agreement with the anchors (quadratic-weighted kappa) the report and Slack warn."""
    max_drift: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1
    """They warn as well when that agreement falls by more than this, since the last day judged or since the first."""


class EvaluateConfig(Frozen):
    """Generation and scoring, the same for every model compared."""

    per_device_eval_batch_size: Annotated[int, Field(ge=1)] = 32
    """Questions answered at once; less takes less memory."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 256
    """The longest answer, in tokens; a longer one is cut and counted."""
    encoder: str = "sentence-transformers/all-mpnet-base-v2"
    """A sentence-transformers model, or `embedded:all-MiniLM-L6-v2`."""
    encoder_revision: str | None = None
    """The hub's branch, tag or commit; None: the newest."""
    max_floor: Annotated[float, Field(gt=0, le=1)] = 0.35
    """Above this floor an encoder cannot judge a language, and chrF stands in for it. The floor is what
    references of one language score against each other's: all-MiniLM-L6-v2 gives 0.19 on the English
    samples and 0.46 on the Korean ones."""
    bootstrap_resamples: Annotated[int, Field(ge=100)] = 10_000
    """Draws of the bootstrap behind each interval and p."""
    confidence_level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the intervals."""
    judge: JudgeConfig | None = None
    """Grades truthfulness; None: it is not measured."""


class GateRule(Frozen):
    """A metric on a kind of held-out question; in each language."""

    metric: Literal["semscore", "chrf", "exact_match", "numbers", "truthfulness"] = "semscore"
    """What is compared; where it cannot judge a language (SemScore with a blind encoder) the group's headline."""
    kind: Kind | None = None
    """Of which held-out questions; None: of every kind."""


class GateConfig(Frozen):
    """When a new model takes the champion's place; see `tradewind.registry.gate`."""

    require: Annotated[tuple[GateRule, ...], Field(min_length=1)] = (GateRule(kind="reworded"),)
    """The whole interval of tuned minus champion (without one: minus base) lies above 0."""
    no_loss: tuple[GateRule, ...] = (GateRule(kind="read"), GateRule(kind="unseen"), GateRule(metric="truthfulness"))
    """The interval does not lie wholly below 0. Truthfulness counts where a judge is configured."""
    approval: bool = False
    """Have a human approve in Airflow what the gate lets through."""


class RegistryConfig(Frozen):
    """Which models are kept, and where else they go."""

    keep: Annotated[int, Field(ge=1)] = 5
    """The newest versions that are kept, besides the champion and the one before it."""
    push_to_hub: bool = False
    """Send what becomes champion to the Hugging Face hub, as a private model."""
    hub_model_id: str | None = None
    """Such as `your-team/trade-gemma`; needed with `push_to_hub`."""
    mlflow_tracking_uri: str | None = None
    """Note each version's settings and scores there; needs the package mlflow."""

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> RegistryConfig:
        if self.push_to_hub and not self.hub_model_id:
            raise ValueError("push_to_hub needs hub_model_id, the repository to push to")
        return self

    @model_validator(mode="after")  # not of the field alone: what it holds would be told
    def _holds_no_login(self) -> RegistryConfig:
        if self.mlflow_tracking_uri and "@" in urlsplit(self.mlflow_tracking_uri).netloc:
            raise ValueError(
                "mlflow_tracking_uri holds a login; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )
        return self


class Recipe(Frozen):
    """What a recipe file may say."""

    model: ModelConfig = ModelConfig()
    """What is trained."""
    extract: ExtractConfig | None = None
    """Draw pairs from running text; None: none are drawn."""
    data: DataConfig = DataConfig()
    """How documents are read."""
    split: SplitConfig = SplitConfig()
    """What is held out."""
    adapt: TrainingConfig = TrainingConfig()
    """The training on running text."""
    finetune: TrainingConfig = TrainingConfig()
    """The training on pairs."""
    sweep: SweepConfig = SweepConfig()
    """How one of several settings of it is chosen."""
    evaluate: EvaluateConfig = EvaluateConfig()
    """How answers are generated and scored."""
    gate: GateConfig = GateConfig()
    """When a model becomes champion."""
    registry: RegistryConfig = RegistryConfig()
    """Which models are kept."""


class RunConfig(Recipe):
    """The resolved configuration of one run: a recipe, the documents and the seed."""

    recipe: str
    """The recipe's name; of a file, without folder and ending."""
    data_dir: str
    """Absolute folder with `exam_data/`, `term_data/`, `qa_data/` and `transcript_data/`, any of which may be
    absent; or the samples `embedded:en` and `embedded:ko`."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    """Of split, training and bootstrap: the same seed draws the same."""
