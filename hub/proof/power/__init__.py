"""Cut power: what the process wrote and synced is recorded, and disks are built that lack what was not synced."""
