"""Pure hash chain and Merkle tree over the log of decisions and changes; the store's committer applies it."""
