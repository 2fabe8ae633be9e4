"""How fusions do with fewer and more samples: experiments of training size."""
