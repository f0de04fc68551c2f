"""What people order: replay, cancel, assign, close, link ids, pause and resume."""
