"""An OpenAI-compatible server on loopback that misbehaves on request and keeps an honest account.

Tests talk to it with the real `openai` client: a mocked client would take the broken bodies, refusals and lost
connections for granted. `LlmServer` is the whole of it for most tests; the rest names its settings and what it saw.
"""

from llm_server.batch import Batching
from llm_server.errors import ApiError
from llm_server.faults import Fault, Faults
from llm_server.grading import graded_of
from llm_server.ledger import Bill, Price, Served, Usage
from llm_server.messages import key_of
from llm_server.model import Model
from llm_server.reply import Reply
from llm_server.server import LlmServer

__all__ = [
    "ApiError",
    "Batching",
    "Bill",
    "Fault",
    "Faults",
    "LlmServer",
    "Model",
    "Price",
    "Reply",
    "Served",
    "Usage",
    "graded_of",
    "key_of",
]
