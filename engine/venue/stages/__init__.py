"""Where each mechanism enters an event: thin wiring between formulas and the ledger.  [risk.md 0.4]"""
