"""Question/answer pairs drawn from running text by a model behind an OpenAI-compatible server."""
