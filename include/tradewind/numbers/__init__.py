"""The numbers that a text states, in digits and in words, English and Korean."""
