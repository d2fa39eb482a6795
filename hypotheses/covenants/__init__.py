"""Claims of the covenant framework, put to the test: inference, verdicts, and the table of its sentences."""
