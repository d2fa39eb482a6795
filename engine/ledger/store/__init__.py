"""The live ledger: one SQLite file, its high-water mark and its export."""
