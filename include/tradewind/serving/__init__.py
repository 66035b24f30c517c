"""Serving a model that was trained: started, checked against its evaluation, and only then given to clients."""
