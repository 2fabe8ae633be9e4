"""What `import fusebench` offers: results as tables, pictures of them, answers for new samples."""
