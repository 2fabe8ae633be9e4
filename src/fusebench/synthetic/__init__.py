"""The demonstration archive: scenes drawn at random and rendered for both sensors."""
