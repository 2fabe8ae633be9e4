"""What a change makes of the results, as a comment on a pull request."""
