"""One module for each kind of file: what it may say, and what it is compiled to."""
