"""Contestants of `finetune.py`: each module says how one trainer is started and where it tells its seconds."""
