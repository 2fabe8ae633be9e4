"""The report as one page that opens without a network: results, samples and charts in one file."""
