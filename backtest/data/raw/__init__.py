"""The raw form of a recording: segments of venue messages, their hash chain, the control log beside them.  [live L1]"""
