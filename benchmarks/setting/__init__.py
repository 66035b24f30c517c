"""What every question shares: the machine, rows, models, and how runs are timed and written down."""
