"""The venue's risk mechanics: one mechanism a file, in the order of events of risk.md 0.4.  [risk.md 0-16, 20-22]"""
