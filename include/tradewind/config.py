"""Every setting of a run and its default: the only home of defaults.

A recipe (`recipes/*.yaml`) states what differs from these. Field names are those of TRL's
`SFTConfig`, PEFT's `LoraConfig` and transformers' `TrainingArguments` where such a field exists.
"""

from __future__ import annotations

import string
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tradewind.kinds import Kind

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Language = Literal["en", "ko"]
SecretName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
ColumnNames = Annotated[tuple[str, ...], BeforeValidator(lambda names: (names,) if isinstance(names, str) else names)]
"""Columns that may hold a value: the first with something in it counts. One may be stated without a list."""


class Frozen(BaseModel):
    """A settings block: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class QuestionTemplates(Frozen):
    """How a glossary term becomes two questions; `{eng_term}` and the brackets around it vanish where absent."""

    description_to_term: str
    term_to_description: str

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
    max_question: Annotated[int, Field(ge=1)] = 4000
    min_answer: Annotated[int, Field(ge=1)] = 1
    max_answer: Annotated[int, Field(ge=1)] = 4000
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
    eng_term: ColumnNames = ("eng_term",)
    description: Annotated[ColumnNames, Field(min_length=1)] = ("description",)
    question: Annotated[ColumnNames, Field(min_length=1)] = ("question",)
    answer: Annotated[ColumnNames, Field(min_length=1)] = ("answer",)
    context: ColumnNames = ("context",)
    id: ColumnNames = ("id",)
    """A file's second row of one id is rejected; an empty list leaves ids unchecked."""


class DatasetConfig(Frozen):
    """A Hugging Face dataset of question/answer pairs or of terms, read as `datasets.load_dataset` reads it."""

    path: str
    """A hub name; or a folder of `save_to_disk` or of CSV, JSON or Parquet files, absolute or below the documents."""
    name: str | None = None
    split: str = "train"
    revision: str | None = None
    columns: ColumnsConfig | None = None
    """None: `data.columns`."""


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
    columns: ColumnsConfig = ColumnsConfig()
    datasets: tuple[DatasetConfig, ...] = ()
    """Read besides the folder's documents."""
    max_records: Annotated[int, Field(ge=1)] | None = None
    """Read at most so many records of each kind of source, for a trial; None: all."""
    max_line_bytes: Annotated[int, Field(ge=1024)] = 16 * 2**20
    """The longest line, entry, passage or undivided document (in UTF-8) that is read; longer ones are rejected."""
    near_duplicate_threshold: Annotated[float, Field(gt=0.5, le=1.0)] = 0.9
    quality: QualityConfig = QualityConfig()
    push_to_hub: bool = False
    """Send the pairs and their card to the Hugging Face hub, as a private data set."""
    hub_dataset_id: str | None = None

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> DataConfig:
        if self.push_to_hub and not self.hub_dataset_id:
            raise ValueError("push_to_hub needs hub_dataset_id, the data set to push to")
        return self


class SplitConfig(Frozen):
    """Shares of records (read, unseen) and of facts with several wordings (reworded) that are held out."""

    reworded: Fraction = 0.3
    read: Fraction = 0.1
    unseen: Fraction = 0.1
    min_items: Annotated[int, Field(ge=2)] = 8
    """The fewest held-out questions of a kind that an interval is given for; 2 is the arithmetic minimum."""


class ModelConfig(Frozen):
    """The base model: `embedded:tiny-gemma2`, a folder, or a hub name."""

    model_name_or_path: str = "embedded:tiny-gemma2"
    model_revision: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] = "eager"


class LoraSettings(Frozen):
    """PEFT's LoRA; the targets are Gemma's seven projections."""

    r: Annotated[int, Field(ge=1)] = 16
    lora_alpha: Annotated[float, Field(gt=0)] = 32
    lora_dropout: Fraction = 0.0
    target_modules: tuple[str, ...] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip


class TrainingConfig(Frozen):
    """One training: adaptation on running text, or fine-tuning on pairs."""

    enabled: bool = True
    num_train_epochs: Annotated[float, Field(gt=0)] = 3
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: Annotated[float, Field(ge=0)] = 0
    """A whole number of steps, or below 1 a share of all steps."""
    per_device_train_batch_size: Annotated[int, Field(ge=1)] = 2
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 4
    max_length: Annotated[int, Field(ge=16)] = 1024
    packing: bool = False
    """Best-fit decreasing packing of whole examples; never TRL's `wrapped`, which mixes them."""
    group_by_length: bool = True
    gradient_checkpointing: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    optim: str = "adamw_torch"
    bf16: bool = False
    logging_steps: Annotated[int, Field(ge=1)] = 10
    save_steps: Annotated[int, Field(ge=1)] = 100
    save_total_limit: Annotated[int, Field(ge=2)] = 2
    lora: LoraSettings | None = LoraSettings()
    """None trains every weight."""
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    push_to_hub: bool = False
    hub_model_id: str | None = None

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> TrainingConfig:
        if self.push_to_hub and not self.hub_model_id:
            raise ValueError("push_to_hub needs hub_model_id, the repository to push to")
        return self


class ServerConfig(Frozen):
    """A model behind an OpenAI-compatible server."""

    model: str
    base_url: str | None = None
    api_key_env: SecretName = "OPENAI_API_KEY"
    """The *name* of the environment variable that holds the key; the key itself never enters a file."""
    timeout: Annotated[float, Field(gt=0)] = 60.0

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
    tokens: Annotated[int, Field(ge=0)] | None = None
    money: Annotated[float, Field(ge=0)] | None = None
    """In the currency of `price`."""
    when_reached: Literal["stop", "go_on"] = "stop"
    """Fail, to be cleared with a larger budget, or go on with what is answered so far."""


class PriceConfig(Frozen):
    """What the server's owner charges for a million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]
    batch_discount: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What share of the price falls away for requests sent through the Batch API."""
    currency: str = "USD"


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
    price: PriceConfig | None = None

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


class ExtractConfig(BatchConfig):
    """Question/answer pairs drawn from running text by a model; without this block none are drawn."""

    block = "extract"

    passage_tokens: Annotated[int, Field(ge=32)] = 512
    """The longest passage, in tokens of the model that is trained."""
    overlap_tokens: Annotated[int, Field(ge=0)] = 64
    max_pairs: Annotated[int, Field(ge=1, le=50)] = 8
    """Facts asked for of one passage, at most."""
    wordings: Annotated[int, Field(ge=1, le=10)] = 3
    """Differently worded questions for each fact; *reworded* held-out questions need two or more."""
    summarise: bool = False
    """Have the passage summarised first, and pairs drawn from the summary."""
    shards: Annotated[int, Field(ge=1, le=1000)] = 1
    """Into how many tasks Airflow divides the passages."""
    grounding: GroundingConfig = GroundingConfig()

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
    """So does a fall of that agreement by more than this, since the last day judged or since the first."""


class EvaluateConfig(Frozen):
    """Generation and scoring, the same for every model compared."""

    per_device_eval_batch_size: Annotated[int, Field(ge=1)] = 32
    max_new_tokens: Annotated[int, Field(ge=1)] = 256
    encoder: str = "sentence-transformers/all-mpnet-base-v2"
    """A sentence-transformers model, or `embedded:all-MiniLM-L6-v2`."""
    encoder_revision: str | None = None
    max_floor: Annotated[float, Field(gt=0, le=1)] = 0.35
    """Above this floor an encoder cannot judge a language, and chrF stands in for it. The floor is what
    references of one language score against each other's: all-MiniLM-L6-v2 gives 0.19 on the English
    samples and 0.46 on the Korean ones."""
    bootstrap_resamples: Annotated[int, Field(ge=100)] = 10_000
    confidence_level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    judge: JudgeConfig | None = None


class GateRule(Frozen):
    """A metric on a kind of held-out question; in each language."""

    metric: Literal["semscore", "chrf", "exact_match", "numbers", "truthfulness"] = "semscore"
    """Where the metric cannot judge a language, such as SemScore with a blind encoder, the group's headline."""
    kind: Kind | None = None
    """None: every kind."""


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
    extract: ExtractConfig | None = None
    data: DataConfig = DataConfig()
    split: SplitConfig = SplitConfig()
    adapt: TrainingConfig = TrainingConfig()
    finetune: TrainingConfig = TrainingConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    gate: GateConfig = GateConfig()
    registry: RegistryConfig = RegistryConfig()


class RunConfig(Recipe):
    """The resolved configuration of one run: a recipe, the documents and the seed."""

    recipe: str
    data_dir: str
    """Absolute folder with `exam_data/`, `term_data/`, `qa_data/` and `transcript_data/`, any of which may be
    absent; or the samples `embedded:en` and `embedded:ko`."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
