"""From records to a data set: judged, without near-duplicates, split, proven, published."""
