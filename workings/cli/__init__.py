"""The command line: it parses arguments and prints results; the library does the rest."""
