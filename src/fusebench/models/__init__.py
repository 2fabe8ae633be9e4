"""Stems, the contract of a fusion, the registry, weights and model.json."""
