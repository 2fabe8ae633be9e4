"""The samples and the manifest, as every later stage reads them."""
