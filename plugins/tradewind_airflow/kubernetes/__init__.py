"""A stage as a pod of a Kubernetes cluster."""
