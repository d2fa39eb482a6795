"""The leak battery."""
