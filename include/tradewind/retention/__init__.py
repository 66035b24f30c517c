"""Which runs go and which stay, on a disk and in a bucket."""
