"""What training on corrupted samples buys each fusion: experiments of `train.augment`."""
