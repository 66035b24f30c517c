"""One of several processes that train, or answer, together: what torchrun starts, and Ray Train calls.

    torchrun --nproc-per-node 2 -m tradewind.training.rank WORK

Nothing here knows who started it: number and rank come from the environment, the work from `tradewind.training.job`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from pathlib import Path

from tradewind.chatter import quiet_libraries
from tradewind.errors import UserError
from tradewind.files import iter_jsonl, read_jsonl, write_atomically
from tradewind.lease import die_with_parent
from tradewind.peak_memory import gpu_peak, host_peak
from tradewind.training.job import FOLDER, TRAINED, AnswerJob, TrainJob, answers_name, failure, keep_failure, read_job
from tradewind.training.place import Place, forget, see_one_gpu

log = logging.getLogger("tradewind")


def main() -> int:
    """Run the job in the folder that the command line names; returns the exit code, as that of `tradewind` is.

    `agent` names two things more: the process with which this one is to end, and how the files' names begin by which
    the processes of one machine find each other.
    """
    work = Path(sys.argv[1])
    parent, store = sys.argv[2:4] if len(sys.argv) > 3 else ["", ""]
    if parent:
        die_with_parent(int(parent))
    return serve(work, store)


def serve(work: Path, store: str = "") -> int:
    """As `run_rank`, in a process that does nothing else; returns an exit code, and leaves what the user has to mend.

    Args:
        store: how the names of the files begin by which the processes of one machine find each other.
    """
    rank = int(os.environ.get("RANK", "0"))
    said = "" if rank == 0 else f"rank {rank}: "
    level = logging.INFO if rank == 0 else logging.WARNING
    logging.basicConfig(level=level, format=f"%(levelname)s {said}%(message)s", stream=sys.stderr)
    quiet_libraries()
    told = failure(work)  # of the try before this one: what the user has to mend stays as it is in the next
    if told is not None:
        return told.exit_code
    if rank == 0 and (tries := int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))):
        log.warning("a process was lost: all of them begin again, for the %d. time", tries)
    try:
        # A try after the loss of a process meets anew: in the file of the try before stand those who are gone.
        run_rank(work, store and f"{store}-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}")
    except Exception as error:
        from tradewind.faults import told_to_user

        told = told_to_user(error, work)
        if told is not None:
            keep_failure(work, told)
            return told.exit_code
        if not _of_another(error):
            raise
        log.info("another process is gone: %s", str(error).splitlines()[0])
        return 1
    return 0


def _of_another(error: Exception) -> bool:
    """Whether a process only missed another one, which is to tell why it went."""
    words = ("Connection closed by peer", "Connection reset by peer", "remote process exited")  # gloo's, and NCCL's
    return isinstance(error, RuntimeError) and any(told in str(error) for told in words)


def run_rank(work: Path, store: str = "") -> None:
    """Do this process's part of the job in a stage's work folder.

    Args:
        work: the same folder for all the processes, which all write into it.
        store: see `World.join`.

    Raises:
        UserError: what the user can mend, also where the processes are not as many as the job is for, or do not
            compute on what it says.
    """
    job = read_job(work)
    if isinstance(job, TrainJob):
        train_rank(work, job, store)
    else:
        answer_rank(work, job)


def train_rank(work: Path, job: TrainJob, store: str = "") -> None:
    """Train; the first process leaves weights, loss curve and metrics."""
    from tradewind.training.answer_loss import answer_loss
    from tradewind.training.load import load_model, load_tokenizer
    from tradewind.training.train import train
    from tradewind.training.world import World

    world = World.of_environment(job.processes, job.device)
    world.join(store)
    source = job.location
    tokenizer = load_tokenizer(source, None if job.source_is_folder else job.model.model_revision)
    rows, validation = (read_jsonl(work / FOLDER / f"{name}.jsonl") for name in ("rows", "validation"))
    quantization = job.config.quantization_config
    # Weights that are too large for one GPU must not go there whole; in 4 bits they are never shared out.
    place = job.device if quantization else "cpu"
    model = load_model(source, job.model, quantization, device=place, used_on=job.device)
    trained, metrics = train(
        job.name, model, tokenizer, rows, job.config, job.seed, work, world=world, save_to=work / TRAINED
    )
    if validation:  # by each, as the parts of a model that is shared out compute together only
        batch = job.config.per_device_train_batch_size
        metrics["validation_loss"] = answer_loss(trained, validation, batch)
    metrics["peaks"] = world.gathered((host_peak(), gpu_peak()))
    if world.is_first:
        write_atomically(work / FOLDER / "metrics.json", json.dumps(metrics))
    world.wait()
    del model, trained  # what talks to the others goes first, else parting may wait for ever
    world.leave()


def answer_rank(work: Path, job: AnswerJob) -> None:
    """Answer every N-th prompt, as a process does that knows of no other; leaves nothing to do for a second try."""
    place = Place.of_environment(job.processes)
    made_before = work / FOLDER / answers_name(place.rank)
    if made_before.exists():
        return
    if job.device == "cuda":
        see_one_gpu(place)
    forget()
    import torch

    from tradewind.training.generate import Made, answer_all
    from tradewind.training.generation.plan import Plan
    from tradewind.training.load import load_tokenizer

    if job.device == "cuda" and not torch.cuda.is_available():
        raise UserError("the job is for GPUs, but torch sees none on this machine; install torch for this GPU")
    prompts = [row["ids"] for row in iter_jsonl(work / FOLDER / "prompts.jsonl")][place.rank :: place.size]
    made = Made([], Plan(**job.plan))
    if prompts:
        tokenizer = load_tokenizer(job.location, None if job.source_is_folder else job.model.model_revision)
        made = answer_all(job.name, job.location, prompts, tokenizer=tokenizer, model_config=job.model,
                          config=job.config, plan=made.plan)  # fmt: skip
    write_atomically(made_before, json.dumps(asdict(made) | {"peak": (host_peak(), gpu_peak())}))


if __name__ == "__main__":
    sys.exit(main())
