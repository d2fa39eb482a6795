"""The registration file: its grammar, its schema, its errors, and what the engine and the harness are given of it."""
