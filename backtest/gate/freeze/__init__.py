"""The freeze: what a study is sealed as, and what is compared with it."""
