"""The leak battery: nothing told up to a time may depend on what follows, nor on the order of rows.  [S8.8]"""
