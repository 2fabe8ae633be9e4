"""One file per format of exported models; its name is what FORMAT of make export names."""
