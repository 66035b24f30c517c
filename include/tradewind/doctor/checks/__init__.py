"""Every check of what the stages need, in the order of the table; a module for each thing that is looked at."""

from __future__ import annotations

from tradewind.doctor.check import Check
from tradewind.doctor.checks import bucket, clock, disk, four_bits, gpu, hub, packages, recipe, servers, torch

CHECKS = (
    Check("python", packages.look_at_python),
    Check("packages", packages.look_at_packages),
    Check("recipe", recipe.look_at_recipe),
    Check("documents", recipe.look_at_documents, 120.0),
    Check("GPU", gpu.look_at_gpu),
    Check("driver", gpu.look_at_driver),
    Check("GPU memory", gpu.look_at_memory),
    Check("torch", torch.look_at_torch, torch.LIMIT + 5),
    Check("bitsandbytes", four_bits.look_at_bitsandbytes, four_bits.LIMIT + 5),
    Check("disk", disk.look_at_home),
    Check("bucket", bucket.look_at_bucket, bucket.LIMIT),
    Check("model cache", disk.look_at_model_cache),
    Check("hub token", hub.look_at_token),
    Check("model", hub.look_at_model),
    Check("encoder", hub.look_at_encoder),
    Check("judge", servers.look_at_judge),
    Check("extract", servers.look_at_extract),
    Check("clock", clock.look_at_clock),
)
