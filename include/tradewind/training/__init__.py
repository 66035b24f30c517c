"""Training on transformers, trl and peft.

The only modules that import torch at their top: leaves, imported inside a stage's `run`.
"""
