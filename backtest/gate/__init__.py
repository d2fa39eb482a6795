"""The freeze and the gate: what a study was sealed as, and whether a confirmatory run may start.  [audit 9, 11]"""
