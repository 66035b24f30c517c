"""Tables of terms or of question/answer pairs: rows out of JSON, JSON Lines, CSV and Parquet files."""
