"""What requests cost."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.config import BudgetConfig, PriceConfig


@dataclass(frozen=True)
class Usage:
    """Requests sent and tokens charged for."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def cost(self, price: PriceConfig | None, *, batch: bool = False) -> float:
        """In the price's currency; 0 where no price is stated."""
        if price is None:
            return 0.0
        full = (self.prompt_tokens * price.prompt + self.completion_tokens * price.completion) / 1_000_000
        return full * (1 - price.batch_discount) if batch else full


@dataclass(frozen=True)
class Spent:
    """What a run has spent, or may have."""

    usage: Usage = Usage()
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.usage + other.usage, self.cost + other.cost)

    def passes(self, budget: BudgetConfig) -> str | None:
        """The first bound that this is above, by its name below the block."""
        tokens = self.usage.prompt_tokens + self.usage.completion_tokens
        for name, value in (("requests", self.usage.requests), ("tokens", tokens), ("money", self.cost)):
            bound = getattr(budget, name)
            if bound is not None and value > bound:
                return f"budget.{name} ({bound})"
        return None
