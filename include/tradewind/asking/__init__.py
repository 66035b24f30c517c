"""Questions to a model behind an OpenAI-compatible server: each answer is paid for once, within a budget."""
