"""From metrics to what people look at: tables and pictures."""
