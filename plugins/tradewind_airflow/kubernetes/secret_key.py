"""A stage's secrets as keys of Kubernetes Secrets: the pod names them, and never holds a value."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubernetes.client import models as k8s

_FORM = re.compile(r"secret:(?P<name>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)/(?P<key>[A-Za-z0-9._-]+)")


def check_secret_keys(references: Mapping[str, object]) -> None:
    """ValueError where a reference is not of the form `secret:NAME/KEY`."""
    for variable, reference in references.items():
        if not isinstance(reference, str) or _FORM.fullmatch(reference) is None:
            # The text may be the secret itself, put here by mistake: it is not repeated.
            raise ValueError(
                f"secrets[{variable!r}] is not 'secret:NAME/KEY'; a pod takes its secrets from Kubernetes Secrets "
                "(kubectl create secret generic NAME --from-literal KEY=...)"
            )


def secret_variables(references: Mapping[str, str]) -> list[k8s.V1EnvVar]:
    """Variables that the cluster fills as the container starts; one whose Secret or key is absent is left out."""
    found = {variable: _FORM.fullmatch(reference) for variable, reference in references.items()}
    return [
        k8s.V1EnvVar(
            name=variable,
            value_from=k8s.V1EnvVarSource(
                secret_key_ref=k8s.V1SecretKeySelector(name=match["name"], key=match["key"], optional=True)
            ),
        )
        for variable, match in found.items()
        if match is not None
    ]
