"""Models under stress: the logits that kept models give for corrupted samples."""
