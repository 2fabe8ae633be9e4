"""What people read: tables, figures, curves, sentences."""
