"""Reference populations: panels of answer tables, and what a plan can tell apart with them."""
