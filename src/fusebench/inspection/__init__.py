"""What somebody's data are, and the params that fit them."""
