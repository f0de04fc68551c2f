"""The tests; a package, because one of the libraries that they use installs another of this name."""
