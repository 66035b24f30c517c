"""Results of earlier runs: found again by what decides them, or put in the place of a stage that is skipped."""
