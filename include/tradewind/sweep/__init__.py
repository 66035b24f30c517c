"""A small sweep: the same fine-tuning with several settings, of which the best goes on."""
