"""A model that grades answers, and what is known of it."""
