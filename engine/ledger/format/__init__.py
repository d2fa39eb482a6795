"""What a ledger row may look like: canonical JSON, fields, schemas and ids."""
