"""The browser verifier of ledgers: one page, built from small parts."""
