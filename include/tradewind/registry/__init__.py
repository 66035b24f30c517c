"""The models that runs made, kept as versions, and the pointer to the one in use; imports nothing heavy."""
